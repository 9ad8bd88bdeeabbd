"""
May this customer use something now, and how much of it is left? Reads only; always as of now.

An answer is kept for as long as it would come out the same, so it is never wrong after a change.
source: docs/adr/0015-use.md, docs/adr/0020-kept-answers.md
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import count

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from crm_billing.money import exponent, to_minor
from packages import entitlement_cache, limits, prices, queries, reckoning, totals, used_terms
from packages.limits import Limits
from packages.models import Meter, Overage, Package, Subscription, UsageBill
from packages.queries import Offered
from packages.quotes import Line
from packages.reckoning import ALL, MONTH, TERM, Reckoned
from packages.terms import METERED, ONE_OFF, PERCENTAGE, SEAT, Component, Terms
from packages.used_terms import Term
from wallet import queries as wallet

BALANCE, HARD, UNPAID = "BALANCE", "HARD", "UNPAID"
MOST = 10**14  # no meter counts further

REASONS: dict[str, str | Promise] = {
    "customer_frozen": _("Your account is frozen."),
    "customer_closed": _("Your account is closed."),
    "not_in_plan": _("It is part of none of your packages."),
    "restricted": _("The package is not paid: you can read, but change nothing."),
    "suspended": _("The package is not paid and is suspended."),
    "paused": _("The package is paused."),
    "ended": _("The package has ended."),
    "quota_reached": _("What is included is used up, and use beyond it is not allowed."),
    "not_authorised": _("Nobody has allowed that this is charged."),
    "amount_reached": _("The amount you allowed for a term is used up."),
    "feature_cap_reached": _("Your cap of the month for this is reached."),
    "monthly_cap_reached": _("Your cap of the month is reached."),
    "hard_limit_reached": _("The package gives no more than this."),
    "balance_too_low": _("The balance does not cover more."),
    "use_unpaid": _("Use of an earlier term is not paid yet."),
    "seats_taken": _("All seats are taken."),
}
_BOUND = {
    TERM: "amount_reached",
    MONTH: "feature_cap_reached",
    ALL: "monthly_cap_reached",
    BALANCE: "balance_too_low",
    HARD: "hard_limit_reached",
    UNPAID: "use_unpaid",
}
_STATE = {
    Subscription.State.RESTRICTED: "restricted",
    Subscription.State.SUSPENDED: "suspended",
    Subscription.State.PAUSED: "paused",
    Subscription.State.ENDED: "ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    Whether one more may be used. limit, left: None without a limit. reason: a key of REASONS, empty
    when it is allowed. resets_at: when what is used begins at nothing again.
    next_plan: the code of the cheapest package on offer that would allow it.
    """

    feature: str
    allowed: bool
    limit: Decimal | None = None
    used: Decimal = Decimal(0)
    left: Decimal | None = None
    resets_at: datetime | None = None
    reason: str = ""
    next_plan: str | None = None


def check(
    customer: Customer, feature: str, *, at: datetime, quantity: Decimal = Decimal(1)
) -> Decision:
    """
    Tell whether a customer may use a feature now.

    feature: the code of a component of a price: a feature, seats, a meter.
    quantity: how many more units are wanted.
    """
    return entitlement_cache.kept(
        customer,
        f"{feature} {quantity}",
        lambda: _View(customer, at).decide(feature, quantity),
        at=at,
    )


def every(customer: Customer, *, at: datetime) -> list[Decision]:
    """
    Return the decision on every feature of the customer's packages, by code.
    """

    def decided() -> list[Decision]:
        view = _View(customer, at)
        return [view.decide(code, Decimal(1), together=True) for code in sorted(view.codes)]

    return entitlement_cache.kept(customer, "every", decided, at=at)


def reach(
    terms: Terms, component: Component, most_minor: Fraction | int, *, used: Decimal = Decimal(0)
) -> Decimal | None:
    """
    Return the largest whole quantity that costs no more than so much, None without end.

    Costs are compared unrounded: a unit of a tenth of a fen costs something.

    used: already; looked for from there, because by volume less may have cost more.
    """

    def costs(units: int) -> Fraction:
        return _exact_minor(reckoning.cost(terms, component, Decimal(units)))

    high, dear = MOST, costs(MOST)
    if dear <= most_minor:
        return None
    low, cheap = int(used), costs(int(used))
    if cheap > most_minor:
        low, cheap, high, dear = 0, 0, low, cheap
    # costs(low) fits, costs(high) does not; between them it rises in straight lines
    for turn in count():
        if high - low == 1:
            break
        along = (most_minor - cheap) * (high - low) // (dear - cheap)
        middle = min(max(low + along, low + 1), high - 1) if turn % 3 < 2 else (low + high) // 2
        cost = costs(middle)
        if cost <= most_minor:
            low, cheap = middle, cost
        else:
            high, dear = middle, cost
    return Decimal(low)


class _View:
    """
    A customer's packages as they stand at a moment.
    """

    def __init__(self, customer: Customer, at: datetime) -> None:
        self.customer = Customer.objects.get(pk=customer.pk)
        self.at = at
        live = Subscription.objects.live().filter(customer=customer).select_related("customer")
        self.subscriptions = [
            (one, prices.terms_of(one.price_version_id)) for one in live.order_by("pk")
        ]

    @property
    def codes(self) -> set[str]:
        return {
            component.code
            for _one, terms in self.subscriptions
            for component in terms.components
            if component.kind != ONE_OFF
        }

    @cached_property
    def terms(self) -> list[Term]:
        """
        Return all terms whose use is not billed, those in grace included.
        """
        return used_terms.in_use(self.customer, at=self.at)

    @cached_property
    def limits(self) -> Limits:
        concerned = {one for one, _terms in self.subscriptions}
        return limits.read(self.customer, concerned | {one.subscription for one in self.terms})

    @cached_property
    def reckoned(self) -> list[Reckoned]:
        return reckoning.reckon(self.customer, self.terms, at=self.at, known=self.limits)

    @cached_property
    def bills(self) -> list[UsageBill]:
        return list(UsageBill.objects.unpaid().filter(customer=self.customer))

    @cached_property
    def covered_minor(self) -> int:
        """
        Return what of the balance is not needed for use so far.
        """
        currency = self.customer.currency
        free = wallet.available_minor([self.customer.pk], currency).get(self.customer.pk, 0)
        owed = sum(one.amount_minor for one in (*self.reckoned, *self.bills))
        return max(free - owed, 0)

    def decide(self, feature: str, quantity: Decimal, *, together: bool = False) -> Decision:
        """
        together: others are asked about as well, so that all is reckoned at once.
        """
        if self.customer.status != Customer.Status.ACTIVE:
            frozen = self.customer.status == Customer.Status.FROZEN
            return _no(feature, "customer_frozen" if frozen else "customer_closed")
        having = [
            (one, terms, component)
            for one, terms in self.subscriptions
            for component in terms.components
            if component.code == feature and component.kind != ONE_OFF
        ]
        if not having:
            return _no(feature, "not_in_plan", next_plan=self._next(feature, Decimal(0)))
        running = [(one, component) for one, _terms, component in having if not self._stopped(one)]
        sold = [(one, component) for one, component in running if component.kind == SEAT]
        if sold:
            return self._seats(sold, quantity)
        for one, component in running:
            decision = self._of(one, component, quantity, together=together)
            if decision is not None:
                return decision
        reasons = (self._stopped(one) for one, _terms, _component in having)
        return _no(feature, next(filter(None, reasons), "not_in_plan"))

    def _stopped(self, one: Subscription) -> str:
        if one.paid_until <= self.at and not one.auto_renew:
            return "ended"
        return _STATE.get(Subscription.State(one.state), "")

    def _of(
        self, one: Subscription, component: Component, quantity: Decimal, *, together: bool
    ) -> Decision | None:
        """
        Return the decision by one subscription, None when another one counts this use.
        """
        if component.kind not in (METERED, PERCENTAGE):
            return Decision(feature=component.code, allowed=True)
        reckoned = self._reckoned(one, component, together=together)
        if reckoned is None:
            return None
        if component.kind == PERCENTAGE:
            return self._transactions(reckoned)
        return self._units(reckoned, quantity)

    def _seats(self, sold: list[tuple[Subscription, Component]], quantity: Decimal) -> Decision:
        """
        Seats of all subscriptions add up; those taken are the customer's and count once.
        """
        code = sold[0][1].code
        limit = sum((Decimal(max(one.seats, int(each.included))) for one, each in sold), Decimal(0))
        meter = Meter.objects.filter(code=code).first()
        used = Decimal(0)
        if meter is not None:
            start = min(self.at, *(one.created_at for one, _each in sold))
            [found] = totals.between(self.customer, [meter], start=start, end=self.at)
            used = found.quantity
        allowed = used + quantity <= limit
        return Decision(
            feature=code,
            allowed=allowed,
            limit=limit,
            used=used,
            left=max(limit - used, Decimal(0)),
            reason="" if allowed else "seats_taken",
        )

    def _reckoned(
        self, one: Subscription, component: Component, *, together: bool
    ) -> Reckoned | None:
        """
        Return the running term's use of a feature. What is not allowed beyond what is included
        shares no bound with anything else and is reckoned alone.
        """
        mine = [term for term in self.terms if self._runs(term, one)]
        rule = self.limits.overage(one.pk, component.code, self.at)
        if together or (rule is not None and rule.policy != Overage.Policy.BLOCK):
            found = self.reckoned
        else:
            found = reckoning.reckon(
                self.customer, mine, at=self.at, only=component.code, known=self.limits
            )
        return next(
            (
                each
                for each in found
                if self._runs(each.term, one) and each.component.code == component.code
            ),
            None,
        )

    def _runs(self, term: Term, one: Subscription) -> bool:
        return term.subscription.pk == one.pk and term.starts_at <= self.at < term.ends_at

    def _rooms(self, reckoned: Reckoned) -> dict[str, int]:
        """
        Return what bounds the cost of more use, and how far away each bound is.
        """
        rooms = dict(reckoned.rooms)
        if rooms.get(TERM) == 0:
            return rooms
        if any(bill.next_try_at > bill.made_at for bill in self.bills if bill.next_try_at):
            rooms[UNPAID] = 0
        rooms[BALANCE] = self.covered_minor
        return rooms

    def _transactions(self, reckoned: Reckoned) -> Decision:
        bound, room = min(self._rooms(reckoned).items(), key=lambda one: one[1])
        reason = "" if room else _reason(bound, reckoned)
        return Decision(
            feature=reckoned.component.code,
            allowed=not reason,
            used=reckoned.quantity,
            resets_at=reckoned.term.ends_at,
            reason=reason,
        )

    def _units(self, reckoned: Reckoned, quantity: Decimal) -> Decision:
        one = reckoned.component
        bound, room = min(self._rooms(reckoned).items(), key=lambda each: each[1])
        affordable = reckoned.rated_minor + room if room else _bought_minor(reckoned)
        limit = reach(reckoned.term.terms, one, affordable, used=reckoned.quantity)
        if one.hard_limit is not None and (limit is None or limit >= one.hard_limit):
            limit, bound = one.hard_limit, HARD
        used = reckoned.quantity
        allowed = limit is None or used + quantity <= limit
        reason = "" if allowed else _reason(bound, reckoned)
        return Decision(
            feature=one.code,
            allowed=allowed,
            limit=limit,
            used=used,
            left=None if limit is None else max(limit - used, Decimal(0)),
            resets_at=reckoned.term.ends_at,
            reason=reason,
            next_plan=self._next(one.code, used + quantity)
            if reason in ("quota_reached", "hard_limit_reached")
            else None,
        )

    def _next(self, feature: str, wanted: Decimal) -> str | None:
        """
        Return the cheapest package on offer that gives so much of a feature.
        """
        held = {one.package_id for one, _terms in self.subscriptions}
        giving = [
            offered
            for offered in queries.offers(self.customer, at=self.at)
            if offered.package.pk not in held
            and offered.package.kind != Package.Kind.TOP_UP
            and _gives(next(iter(offered.prices.values())).terms, feature, wanted)
        ]
        return min(giving, key=_monthly).package.code if giving else None


def _exact_minor(line: Line) -> Fraction:
    return line.exact * 10 ** exponent(line.amount.currency.code)


def _bought_minor(reckoned: Reckoned) -> Fraction | int:
    """
    Return what use may cost in all while nothing more may be taken: what was taken, or its cost
    before rounding where that is what was taken. A package of units begun is had to its end.
    """
    line, taken = reckoned.line, reckoned.amount_minor
    return _exact_minor(line) if 0 < taken == to_minor(line.amount) else taken


def _gives(terms: Terms, feature: str, wanted: Decimal) -> bool:
    found: Iterable[Component] = (
        one for one in terms.components if one.code == feature and one.kind != ONE_OFF
    )
    return any(one.kind != METERED or one.included >= wanted for one in found)


def _monthly(offered: Offered) -> Decimal:
    version = next(iter(offered.prices.values()))
    return version.terms.fixed.amount / version.terms.months


def _reason(bound: str, reckoned: Reckoned) -> str:
    rule = reckoned.overage
    if bound == TERM and (rule is None or rule.policy == Overage.Policy.BLOCK):
        return "quota_reached" if reckoned.component.kind == METERED else "not_authorised"
    return _BOUND[bound]


def _no(feature: str, reason: str, *, next_plan: str | None = None) -> Decision:
    return Decision(feature=feature, allowed=False, reason=reason, next_plan=next_plan)
