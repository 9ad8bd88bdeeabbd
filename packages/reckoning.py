"""
What the use of terms costs as it comes, and how much of it the customer has allowed. Reads only.

A term is reckoned month by month, because caps are by the month: what the use up to the end of a
month costs more than up to its beginning is that month's. source: docs/adr/0015-use.md
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate

from django.db.models import Max, Q, Sum

from accounts.models import Customer
from crm_billing.money import to_minor
from packages import limits, periods, prices, quotes, totals, used_terms
from packages.limits import Limits
from packages.models import (
    ExtraPack,
    Meter,
    Overage,
    SubscriptionChange,
    UsageShare,
)
from packages.models.usage import EARLIEST
from packages.quotes import Line, Use
from packages.terms import METERED, USED, Component, Terms
from packages.used_terms import Term

TERM, MONTH, ALL = "TERM", "MONTH", "ALL"  # what bounds the cost of use


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """
    One month of a term: what its use costs, and what of it is taken.
    """

    month: date
    starts_at: datetime
    ends_at: datetime
    rated_minor: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """
    The use of one feature in one term.

    line: all of it at its price. rooms: what may yet be taken now, by what bounds it; a bound
    that is not there is not named. overage: the rule that holds, None when none was ever made.
    """

    term: Term
    component: Component
    quantity: Decimal
    line: Line
    shares: list[Share]
    overage: Overage | None
    rooms: dict[str, int]

    @property
    def amount_minor(self) -> int:
        return sum(share.amount_minor for share in self.shares)

    @property
    def rated_minor(self) -> int:
        return sum(share.rated_minor for share in self.shares)


@dataclass(frozen=True, slots=True)
class _Piece:
    """
    The part of a term that lies in one month.
    """

    month: date
    starts_at: datetime
    ends_at: datetime


def spent_minor(customer: Customer, code: str, month: date, *, at: datetime) -> int:
    """
    Return what use costs in a month so far, billed or not; code "" is for all use together.
    """
    terms = used_terms.in_use(customer, at=at)
    running = sum(
        share.amount_minor
        for one in reckon(customer, terms, at=at)
        for share in one.shares
        if share.month == month and code in ("", one.component.code)
    )
    billed = UsageShare.objects.filter(customer=customer, month=month)
    if code:
        billed = billed.filter(code=code)
    return running + (billed.aggregate(Sum("amount_minor"))["amount_minor__sum"] or 0)


def reckon(
    customer: Customer,
    terms: Sequence[Term],
    *,
    at: datetime,
    only: str | None = None,
    known: Limits | None = None,
) -> list[Reckoned]:
    """
    Reckon the use of a customer's terms until `at`, in their order: caps are used up in it.

    Use that another subscription counts at the same time, or was billed for, counts once: there.
    A term's beginning is then the end of what was billed.

    only: one feature, whose rooms are then right only as far as no cap is shared with others.
    known: what the customer has decided about the terms' subscriptions, if that has been read.
    """
    found: list[Reckoned] = []
    known = known or limits.read(customer, [one.subscription for one in terms])
    spent, changes = _spent(customer, terms), _changes(terms)
    taken: dict[str, list[Term]] = defaultdict(list)
    for one in terms:
        billed, packs = _billed_elsewhere(customer, one), _packs(one)
        for component in one.terms.of_kind(*USED):
            code = component.code
            starts_at = billed.get(code, one.starts_at)
            counted = starts_at >= one.ends_at or any(_overlap(one, other) for other in taken[code])
            if counted or only not in (None, code):
                continue
            taken[code].append(one)
            rest = replace(one, starts_at=starts_at)
            pieces = _pieces(rest, min(one.ends_at, at + EARLIEST))
            more = packs.get(code, Decimal(0))
            owed = _owed(customer, rest, code, more, changes)
            with_packs = _with_packs(component, more)
            found.append(_reckon(customer, rest, with_packs, pieces, known, spent, owed))
    return found


def _reckon(
    customer: Customer,
    one: Term,
    component: Component,
    pieces: list[_Piece],
    known: Limits,
    spent: dict[tuple[str, date], int],
    owed: list[tuple[datetime, int]],
) -> Reckoned:
    code, zone = component.code, one.subscription.zone
    meter = Meter.objects.filter(code=code).first()
    lines, quantities = _costs(customer, one, component, meter, pieces)
    overage = known.overage(one.subscription.pk, code, one.ends_at)
    is_free = overage is None or one.is_trial
    allowed = 0 if is_free else limits.allowed_minor(overage, one.number)
    shares: list[Share] = []
    rooms: dict[str, int] = {}
    reached = taken = 0
    for piece, cost in zip(pieces, _rising(lines, meter), strict=True):
        before = [minor for moment, minor in owed if moment <= piece.ends_at]
        cost = max([cost, *before])
        rated, reached = cost - reached, cost
        rooms = {
            name: room
            for name, room in (
                (TERM, None if allowed is None else allowed - taken),
                (MONTH, known.left(code, piece.month, zone, spent)),
                (ALL, known.left("", piece.month, zone, spent)),
            )
            if room is not None
        }
        amount = max(min([rated, *rooms.values()]), 0)
        taken += amount
        for scope in (code, ""):
            spent[scope, piece.month] += amount
        rooms = {name: max(room - amount, 0) for name, room in rooms.items()}
        shares.append(
            Share(
                month=piece.month,
                starts_at=piece.starts_at,
                ends_at=piece.ends_at,
                rated_minor=rated,
                amount_minor=amount,
            )
        )
    return Reckoned(
        term=one,
        component=component,
        quantity=quantities[-1],
        line=lines[-1],
        shares=shares,
        overage=overage,
        rooms=rooms,
    )


def cost(terms: Terms, component: Component, used: Use) -> Line:
    """
    Return what so much use of one component costs by its price.
    """
    alone = replace(terms, components=(component,))
    [line] = quotes.price(alone, usage={component.code: used}).lines
    return line


def _costs(
    customer: Customer,
    one: Term,
    component: Component,
    meter: Meter | None,
    pieces: list[_Piece],
) -> tuple[list[Line], list[Decimal]]:
    """
    Return what the use from the term's beginning until the end of each month costs, and how much
    it is: a quantity, of PERCENTAGE the value of the transactions.
    """
    ends = [piece.ends_at for piece in pieces]
    uses = _uses(customer, component.kind, meter, one.starts_at, ends)
    lines = [cost(one.terms, component, use) for use in uses]
    return lines, [line.quantity for line in lines]


def _uses(
    customer: Customer, kind: str, meter: Meter | None, start: datetime, ends: Sequence[datetime]
) -> Sequence[Use]:
    if meter is None:
        return [Decimal(0)] * len(ends)
    if kind == METERED:
        spans = [(meter, start, end) for end in ends]
        return [used.quantity for used in totals.measure(customer, spans)]
    return [totals.turnover(customer, meter, start=start, end=end) for end in ends]


def _owed(
    customer: Customer,
    one: Term,
    code: str,
    packs: Decimal,
    changes: Sequence[SubscriptionChange],
) -> list[tuple[datetime, int]]:
    """
    Return what use had cost when another price came into force within a term: (when, minor units).
    It stays owed, whatever the new price includes.
    """
    found: list[tuple[datetime, int]] = []
    if not changes:
        return found
    meter = Meter.objects.filter(code=code).first()
    is_last = meter is not None and meter.aggregation == Meter.Aggregation.LAST
    for change in changes:
        moment = change.applied_at
        inside = moment is not None and one.starts_at < moment < one.ends_at
        if moment is None or not inside or is_last:
            continue
        if change.subscription_id != one.subscription.pk:
            continue
        terms = prices.terms_of(change.from_version_id)
        for component in terms.of_kind(*USED):
            if component.code == code:
                [use] = _uses(customer, component.kind, meter, one.starts_at, [moment])
                line = cost(terms, _with_packs(component, packs), use)
                found.append((moment, to_minor(line.amount)))
    return found


def _changes(terms: Sequence[Term]) -> list[SubscriptionChange]:
    """
    Return the changes of price that came into force within terms.
    """
    if not terms:
        return []
    return list(
        SubscriptionChange.objects.filter(
            subscription__in={one.subscription.pk for one in terms},
            to_version__isnull=False,
            applied_at__gt=min(one.starts_at for one in terms),
        ).order_by("applied_at", "pk")
    )


def _rising(lines: list[Line], meter: Meter | None) -> list[int]:
    """
    Return what use costs until the end of each month, in minor units; it never falls, and no month
    is charged more than the term comes to. Of LAST only the end tells; by volume more can cost
    less, and then the months before have cost less too.
    """
    costs = [to_minor(line.amount) for line in lines]
    if meter and meter.aggregation == Meter.Aggregation.LAST:
        return [0] * (len(costs) - 1) + costs[-1:]
    return list(accumulate(reversed(costs), min))[::-1]


def _pieces(one: Term, until: datetime) -> list[_Piece]:
    """
    Cut a term at the beginnings of months in its zone; at least one piece is left.
    """
    zone = one.subscription.zone
    pieces, starts_at = [], one.starts_at
    until = max(until, starts_at)
    while True:
        month = periods.day_in(starts_at, zone).replace(day=1)
        next_month = periods.instant(periods.boundary(month, "month", 1), zone)
        pieces.append(_Piece(month, starts_at, min(next_month, until)))
        if next_month >= until:
            return pieces
        starts_at = next_month


def _spent(customer: Customer, terms: Sequence[Term]) -> dict[tuple[str, date], int]:
    """
    Return what bills have taken for use in the months of these terms: (feature or "", month).
    """
    spent: dict[tuple[str, date], int] = defaultdict(int)
    if terms:
        first = min(periods.day_in(one.starts_at, one.subscription.zone) for one in terms)
        shares = UsageShare.objects.filter(customer=customer, month__gte=first.replace(day=1))
        for code, month, amount in shares.values_list("code", "month", "amount_minor"):
            spent[code, month] += amount
            spent["", month] += amount
    return spent


def _packs(one: Term) -> dict[str, Decimal]:
    """
    Return how many units were bought on top in a term: feature -> units.
    """
    bought = ExtraPack.objects.filter(
        subscription=one.subscription, period_number=one.number
    ).values_list("code")
    return dict(bought.annotate(Sum("units")))


def _with_packs(component: Component, units: Decimal) -> Component:
    if not units:
        return component
    limit = component.hard_limit
    return replace(
        component,
        included=component.included + units,
        hard_limit=None if limit is None else limit + units,
    )


def _billed_elsewhere(customer: Customer, one: Term) -> dict[str, datetime]:
    """
    Return until when another subscription was billed for use within a term: feature -> moment.
    """
    overlapping = Q(starts_at__lt=one.ends_at, ends_at__gt=one.starts_at)
    shares = UsageShare.objects.filter(overlapping, customer=customer).exclude(
        bill__subscription=one.subscription
    )
    return dict(shares.values_list("code").annotate(Max("ends_at")))


def _overlap(one: Term, other: Term) -> bool:
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at
