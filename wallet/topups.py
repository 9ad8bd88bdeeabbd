"""
Commands about what customers ask to pay in. Money moves later, in `facts`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db.models import Q
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.customers import NotAllowed
from accounts.models import Customer, Member, User
from accounts.queries import role_in
from crm_billing.errors import DomainError
from crm_billing.idempotency import IdempotencyConflict
from crm_billing.money import InexactMoney, from_minor, to_minor
from crm_billing.templatetags.ui import money as shown
from crm_billing.transactions import money_transaction
from wallet import gateways, numbers, queries
from wallet.ledger import MoneyFrozen, WrongCurrency
from wallet.models import PaymentAttempt, TopUp, WalletPolicy
from wallet.spending import wrong_currency

log = structlog.get_logger(__name__)

OPEN_ATTEMPT = Q(state__in=["CREATED", "SUBMITTED", "PENDING", "UNKNOWN"])


class AmountNotPositive(DomainError):
    """
    The amount is not above zero.
    """

    code = "amount_not_positive"


class BelowMinimum(DomainError):
    """
    The amount is below the smallest top-up.
    """

    code = "below_minimum"


class AboveMaximum(DomainError):
    """
    The amount is above the largest top-up.
    """

    code = "above_maximum"


class AboveMaxBalance(DomainError):
    """
    The wallet would hold more than it may, open top-ups included.
    """

    code = "above_max_balance"


class TooManyOpenTopUps(DomainError):
    """
    Too many top-ups wait for payment; pay or cancel one first.
    """

    code = "too_many_open_topups"


class TopUpClosed(DomainError):
    code = "topup_closed"


class AttemptOpen(DomainError):
    code = "attempt_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """
    What the floor above grants when this top-up is paid; kept on the top-up and honoured later.

    days: how long the bonus lives, None for ever. terms: said to the customer in these words.
    """

    bonus: Money | None = None
    days: int | None = None
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a customer may pay in now. `room` is what the largest balance still leaves.
    """

    policy: WalletPolicy
    balance: queries.Balance
    open_count: int
    waiting: Money

    @property
    def room(self) -> Money:
        room = self.policy.max_balance - self.balance.total - self.waiting
        return max(room, from_minor(0, self.policy.currency))

    @property
    def smallest(self) -> Money:
        return self.policy.min_topup

    @property
    def largest(self) -> Money:
        return min(self.policy.max_topup, self.room)


def limits(customer: Customer, *, at: datetime) -> Limits:
    """
    Return the limits that hold for a customer now, in the customer's currency.

    raises WrongCurrency: no policy offers wallets in it.
    """
    currency = customer.currency
    try:
        policy = WalletPolicy.objects.current(currency, at)
    except WalletPolicy.DoesNotExist:
        raise WrongCurrency(
            _("Top-ups in %(currency)s are not offered.") % {"currency": currency}, field="amount"
        ) from None
    waiting = [topup.amount for topup in TopUp.objects.open().filter(customer=customer)]
    return Limits(
        policy=policy,
        balance=queries.balance(customer, currency),
        open_count=len(waiting),
        waiting=sum(waiting, from_minor(0, currency)),
    )


def check(
    *, customer: Customer, amount: Money, gateway: str, at: datetime, by: User | None = None
) -> Limits:
    """
    Refuse what `start` would refuse, without writing anything. `data["field"]` names the culprit.

    raises: as `start`.
    """
    _require_right(by, customer.pk)
    customers.require_active(customer)
    _require_money_moves()
    _require_gateway(gateway, customer.currency)
    known = limits(customer, at=at)
    _require_amount(amount, customer, known)
    if known.open_count >= known.policy.max_open_topups:
        raise TooManyOpenTopUps(
            _(
                "%(count)s top-ups are still waiting for payment. "
                "Pay or cancel one of them before starting another."
            )
            % {"count": known.open_count},
            count=known.open_count,
            limit=known.policy.max_open_topups,
        )
    return known


@money_transaction
def start(
    *,
    customer: Customer,
    amount: Money,
    gateway: str,
    at: datetime,
    by: User | None = None,
    request_key: str | None = None,
    promise: Promise | None = None,
) -> TopUp:
    """
    Write down what a customer asks to pay in, with its first attempt; `payments.submit` is next.

    by: an owner or finance member, staff, or None for the house itself.
    request_key: one per form or request; the same key and content again is the same top-up.
    raises NotAllowed, CustomerFrozen, CustomerClosed: this person or customer may not.
    raises MoneyFrozen: the books do not prove; no money should come that we could not credit.
    raises UnknownGateway, WrongCurrency: not offered.
    raises InexactMoney, AmountNotPositive, BelowMinimum, AboveMaximum, AboveMaxBalance: the amount.
    raises TooManyOpenTopUps: others wait for payment.
    raises IdempotencyConflict: the key was used for another top-up.
    """
    _require_right(by, customer.pk)
    customer = customers.lock(customer.pk)
    key = request_key or numbers.code()
    if known := TopUp.objects.filter(customer=customer, request_key=key).first():
        return _same(known, amount, gateway)
    policy = check(customer=customer, amount=amount, gateway=gateway, at=at, by=by).policy
    customers.fix_currency(customer_id=customer.pk, at=at)
    promise = promise or Promise()
    topup = TopUp.objects.create(
        number=numbers.document("TU", at),
        customer=customer,
        amount=amount,
        gateway=gateway,
        policy=policy,
        promised_bonus=promise.bonus,
        promised_bonus_days=promise.days,
        promised_terms=promise.terms,
        request_key=key,
        created_at=at,
        expires_at=at + timedelta(minutes=policy.topup_minutes),
        created_by=by,
    )
    _attempt(topup, topup.number, at)
    return topup


@money_transaction
def retry(*, topup_id: int, at: datetime, by: User | None = None) -> PaymentAttempt:
    """
    Begin another attempt for an open top-up whose last one came to nothing.

    raises NotAllowed, CustomerFrozen, CustomerClosed, MoneyFrozen, UnknownGateway: as `start`.
    raises TopUpClosed: paid, cancelled or out of time; start a new one.
    raises AttemptOpen: the last attempt may still be paid, or nobody knows yet.
    """
    topup = lock(topup_id)
    _require_right(by, topup.customer_id)
    customers.require_active(topup.customer)
    _require_money_moves()
    if not topup.is_open or topup.expires_at <= at:
        raise TopUpClosed(
            _("This top-up is closed. Start a new one."), number=topup.number, state=topup.state
        )
    if topup.attempts.filter(OPEN_ATTEMPT).exists():
        raise AttemptOpen(
            _("The last attempt is not over yet. Wait a moment, then look again."),
            number=topup.number,
        )
    _require_gateway(topup.gateway, topup.amount.currency.code)
    return _attempt(topup, numbers.document("TU", at), at)


@money_transaction
def cancel(*, topup_id: int, at: datetime, by: User | None = None) -> TopUp:
    """
    Give up an unpaid top-up. Should money arrive for it after all, it is credited.

    The gateway is told by `payments.ask`, now or by the janitor.

    raises NotAllowed: as `start`.
    raises TopUpClosed: it is paid or out of time.
    """
    topup = lock(topup_id)
    _require_right(by, topup.customer_id)
    if topup.state == TopUp.State.CANCELLED:
        return topup
    if not topup.is_open:
        raise TopUpClosed(
            _("This top-up can no longer be cancelled."), number=topup.number, state=topup.state
        )
    return _end(topup, TopUp.State.CANCELLED, at)


def expire_due(*, at: datetime, limit: int = 500) -> int:
    """
    End the top-ups nobody paid in time; return how many. Each commits alone, and one that cannot
    end does not keep the others from it.
    """
    due = TopUp.objects.open().filter(expires_at__lte=at).order_by("expires_at", "pk")
    ended = 0
    for topup_id in list(due.values_list("pk", flat=True)[:limit]):
        try:
            ended += _expire(topup_id, at)
        except Exception:
            log.exception("topup.not_expired", topup_id=topup_id)
    return ended


@money_transaction
def _expire(topup_id: int, at: datetime) -> bool:
    topup = lock(topup_id)
    if not topup.is_open or topup.expires_at > at:
        return False
    _end(topup, TopUp.State.EXPIRED, at)
    return True


def lock(topup_id: int) -> TopUp:
    """
    Lock a top-up until the transaction ends, after its customer: the order of all commands.
    """
    customer_id = TopUp.objects.values_list("customer_id", flat=True).get(pk=topup_id)
    customer = customers.lock(customer_id)
    topup = TopUp.objects.select_for_update(no_key=True).get(pk=topup_id)
    topup.customer = customer
    return topup


def _end(topup: TopUp, state: str, at: datetime) -> TopUp:
    topup.state = state
    topup.save(update_fields=["state"])
    topup.attempts.filter(state="CREATED").update(state="CLOSED", finished_at=at)
    # What the gateway knows of is closed there by the janitor, who also learns of late money.
    topup.attempts.unresolved().update(next_query_at=at)
    return topup


def _attempt(topup: TopUp, number: str, at: datetime) -> PaymentAttempt:
    return PaymentAttempt.objects.create(
        topup=topup, number=number, gateway=topup.gateway, amount=topup.amount, created_at=at
    )


def _same(known: TopUp, amount: Money, gateway: str) -> TopUp:
    if (known.amount, known.gateway) != (amount, gateway):
        raise IdempotencyConflict(
            _("This form was already used for another top-up. Open a new one."),
            number=known.number,
        )
    return known


def _require_right(by: User | None, customer_id: int) -> None:
    if by is None or (by.is_active and by.is_staff):
        return
    if role_in(by, customer_id) not in (Member.Role.OWNER, Member.Role.FINANCE):
        raise NotAllowed(_("Only owners and finance people may top up. Ask one of them."))


def _require_money_moves() -> None:
    if queries.money_is_frozen():
        raise MoneyFrozen(
            _("Payments are paused while we check the books. Please try again later.")
        )


def _require_gateway(code: str, currency: str) -> None:
    try:
        gateway = gateways.get(code)
    except gateways.UnknownGateway as refusal:
        refusal.data["field"] = "gateway"
        raise
    if currency not in gateway.currencies:
        raise WrongCurrency(
            _("This payment method takes no %(currency)s. Choose another one.")
            % {"currency": currency},
            field="gateway",
        )


def _require_amount(amount: Money, customer: Customer, known: Limits) -> None:
    if amount.currency.code != customer.currency:
        raise wrong_currency(customer)
    try:
        minor = to_minor(amount)
    except InexactMoney as refusal:
        refusal.data["field"] = "amount"
        raise
    if minor <= 0:
        raise AmountNotPositive(_("Enter an amount above zero."), field="amount")
    policy, facts = known.policy, {"field": "amount", "amount": amount}
    if amount < policy.min_topup:
        raise BelowMinimum(
            _("The smallest top-up is %(limit)s. Enter at least that.")
            % {"limit": shown(policy.min_topup)},
            **facts,
            limit=policy.min_topup,
        )
    if amount > policy.max_topup:
        raise AboveMaximum(
            _("The largest top-up is %(limit)s. Enter less, or top up several times.")
            % {"limit": shown(policy.max_topup)},
            **facts,
            limit=policy.max_topup,
        )
    if amount > known.room:
        raise AboveMaxBalance(
            _(
                "A wallet holds at most %(limit)s, top-ups waiting for payment included. "
                "You can add up to %(room)s now."
            )
            % {"limit": shown(policy.max_balance), "room": shown(known.room)},
            **facts,
            limit=policy.max_balance,
            room=known.room,
        )
