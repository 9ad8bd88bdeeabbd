"""
Commands for money that is promised but has not moved yet.
"""

from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.models import Customer, User
from crm_billing.errors import DomainError
from crm_billing.money import from_minor, to_minor
from crm_billing.templatetags.ui import money as shown
from crm_billing.transactions import money_transaction
from wallet import chart, ledger, queries
from wallet.models import Hold, HoldLot, JournalEntry, Lot
from wallet.spending import BadCharge, policy_in_force, too_little

LIFETIME = timedelta(days=7)
LONGEST = timedelta(days=90)  # a hold keeps bonus from expiring, so it may not last for ever

CAPTURED = "Held amount spent"

log = structlog.get_logger(__name__)


class HoldClosed(DomainError):
    """
    The hold was captured, released or has expired.
    """

    code = "hold_closed"


class CaptureTooLarge(DomainError):
    """
    The amount is more than is held.
    """

    code = "capture_too_large"


@money_transaction
def place(
    *,
    customer: Customer,
    amount: Money,
    reference: str,
    at: datetime,
    expires_at: datetime | None = None,
    description: str = "",
    by: User | None = None,
) -> Hold:
    """
    Set `amount` aside in a wallet so that nothing else can spend it and it cannot expire.

    Placing the same `reference` again returns the first hold and sets nothing more aside.

    amount: positive, whole minor units.
    expires_at: when the hold ends by itself; LIFETIME after `at` by default, LONGEST at most.
    description: what it is for, as the customer reads it, also on the entry of its capture.
    raises InsufficientFunds: less than `amount` is available.
    raises CustomerFrozen, ReferenceReused, MoneyFrozen, BadCharge, WrongCurrency: as
        `spending.spend`.
    source: docs/adr/0004-lots-and-holds.md
    """
    if to_minor(amount) <= 0:
        raise BadCharge(_("The amount must be more than zero."), field="amount")
    currency = str(amount.currency)
    policy = policy_in_force(currency, at)
    accounts = chart.wallet_accounts(customer, currency)
    ledger.lock_accounts(account.pk for account in accounts.values())
    if hold := Hold.objects.filter(customer=customer, reference=reference).first():
        if hold.amount != amount:
            raise ledger.ReferenceReused(_("This reference was used before for something else."))
        return hold
    _refuse_bad_end(expires_at, at)
    if queries.money_is_frozen():
        raise ledger.MoneyFrozen(
            _("Payments are paused while we check the books. Please try again later.")
        )
    customers.require_active(Customer.objects.get(pk=customer.pk))
    parts = _free_parts(customer, currency, policy.consumption_order, to_minor(amount), at)
    hold = Hold.objects.create(
        customer=customer,
        reference=reference,
        description=description,
        currency=currency,
        amount_minor=to_minor(amount),
        placed_at=at,
        expires_at=expires_at or at + LIFETIME,
        actor=by,
    )
    HoldLot.objects.bulk_create(
        HoldLot(hold=hold, lot_id=lot_id, amount_minor=minor) for lot_id, minor in parts
    )
    _pin(hold, +1)
    return hold


@money_transaction
def capture(*, hold_id: int, amount: Money, at: datetime, by: User | None = None) -> Hold:
    """
    Spend up to the held amount and free the rest.

    The lots pinned first are spent first. Capturing the same amount again returns the hold.

    raises HoldClosed: the hold was released or expired, or captured with another amount.
    raises CaptureTooLarge: `amount` is more than was held.
    raises CustomerFrozen: the customer's money may not move.
    """
    hold = _lock(hold_id)
    if hold.state == Hold.State.CAPTURED and hold.captured == amount:
        return hold
    _refuse_closed(hold)
    if hold.expires_at <= at:
        raise HoldClosed(_("This hold has expired."), hold_id=hold.pk)
    customers.require_active(hold.customer)
    if not to_minor(amount) > 0 or str(amount.currency) != hold.currency:
        raise BadCharge(
            _("Capture an amount above zero in %(currency)s.") % {"currency": hold.currency},
            field="amount",
        )
    if amount > hold.amount:
        raise CaptureTooLarge(
            _("Only %(amount)s is held.") % {"amount": shown(hold.amount)}, field="amount"
        )
    policy = policy_in_force(hold.currency, at)
    _pin(hold, -1)
    uses, debits = _captured_parts(hold, to_minor(amount))
    spent = chart.system("SPENT", hold.currency)
    entry = ledger.post(
        reference=f"capture:{hold.pk}",
        kind=JournalEntry.Kind.CAPTURE,
        description=hold.description or CAPTURED,
        postings={
            account_id: from_minor(minor, hold.currency) for account_id, minor in debits.items()
        }
        | {spent.pk: -amount},
        occurred_at=at,
        by=by,
        policy_id=policy.pk,
        uses=uses,
    )
    hold.entry, hold.captured_minor = entry, to_minor(amount)
    return _close(hold, Hold.State.CAPTURED, at)


@money_transaction
def release(*, hold_id: int, at: datetime, by: User | None = None) -> Hold:
    """
    Free the held amount without moving it. Releasing again returns the hold.

    raises HoldClosed: the hold was captured.
    """
    hold = _lock(hold_id)
    if hold.state in (Hold.State.RELEASED, Hold.State.EXPIRED):
        return hold
    _refuse_closed(hold)
    _pin(hold, -1)
    return _close(hold, Hold.State.RELEASED, at)


def release_expired(*, at: datetime, limit: int = 1000) -> int:
    """
    End every open hold whose time has passed; return how many. Each one commits alone, and one
    that cannot end does not keep the others from it.
    """
    due = Hold.objects.open().filter(expires_at__lte=at).order_by("expires_at", "pk")
    ended = 0
    for hold_id in list(due.values_list("pk", flat=True)[:limit]):
        try:
            ended += _expire_one(hold_id, at)
        except Exception:
            log.exception("hold.not_expired", hold_id=hold_id)
    return ended


@money_transaction
def _expire_one(hold_id: int, at: datetime) -> bool:
    hold = _lock(hold_id)
    if hold.state != Hold.State.OPEN:  # captured or released after we listed it
        return False
    _pin(hold, -1)
    _close(hold, Hold.State.EXPIRED, at)
    return True


def _lock(hold_id: int) -> Hold:
    holds = Hold.objects.select_related("customer").select_for_update(of=["self"], no_key=True)
    hold = holds.get(pk=hold_id)
    accounts = chart.wallet_accounts(hold.customer, hold.currency)
    ledger.lock_accounts(account.pk for account in accounts.values())
    return hold


def _refuse_bad_end(expires_at: datetime | None, at: datetime) -> None:
    if expires_at and expires_at <= at:
        raise BadCharge(_("The hold must expire after it is placed."), field="expires_at")
    if expires_at and expires_at > at + LONGEST:
        raise BadCharge(
            _("A hold lasts at most %(days)s days.") % {"days": LONGEST.days}, field="expires_at"
        )


def _refuse_closed(hold: Hold) -> None:
    if hold.state != Hold.State.OPEN:
        raise HoldClosed(
            _("This hold is already %(state)s.") % {"state": hold.get_state_display().lower()},
            hold_id=hold.pk,
        )


def _free_parts(
    customer: Customer, currency: str, order: str, wanted: int, at: datetime
) -> list[tuple[int, int]]:
    """
    Return (lot id, minor units) that together make `wanted`, in the order of consumption.
    """
    parts, left = [], wanted
    for lot in Lot.objects.free(customer, currency, order, at):
        taken = min(left, lot.remaining_minor - lot.held_minor)
        parts.append((lot.pk, taken))
        left -= taken
        if not left:
            return parts
    available = from_minor(wanted - left, currency)
    refusal = ledger.InsufficientFunds(
        _("Only %(available)s is available.") % {"available": shown(available)}, available=available
    )
    raise too_little(customer, currency, refusal)


def _captured_parts(hold: Hold, wanted: int) -> tuple[dict[int, int], dict[int, int]]:
    uses: dict[int, int] = {}
    debits: dict[int, int] = {}
    for part in hold.parts.select_related("lot").order_by("pk"):
        taken = min(wanted, part.amount_minor)
        if taken:
            uses[part.lot_id] = taken
            debits[part.lot.account_id] = debits.get(part.lot.account_id, 0) + taken
            wanted -= taken
    return uses, debits


def _pin(hold: Hold, direction: int) -> None:
    """
    Pin (+1) or free (−1) the hold's parts on their lots and accounts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH pinned AS (
                UPDATE wallet_lot AS lot
                SET held_minor = lot.held_minor + %(direction)s * part.amount_minor
                FROM wallet_holdlot AS part
                WHERE part.hold_id = %(hold)s AND lot.id = part.lot_id
                RETURNING lot.account_id, part.amount_minor
            )
            UPDATE wallet_ledgeraccount AS a
            SET held_minor = a.held_minor + %(direction)s * p.amount_minor
            FROM (
                SELECT account_id, sum(amount_minor)::bigint AS amount_minor
                FROM pinned GROUP BY account_id
            ) AS p
            WHERE a.id = p.account_id
            """,
            {"direction": direction, "hold": hold.pk},
        )


def _close(hold: Hold, state: str, at: datetime) -> Hold:
    hold.state, hold.closed_at = state, at
    hold.save(update_fields=["state", "closed_at", "captured_minor", "entry"])
    return hold
