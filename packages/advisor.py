"""
What a customer's last months would have cost under every plan on offer. Reads, never writes.

Figures come from `quotes.price`, by which charges are made too. Whatever the number of plans, the
database is asked as often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import from_minor
from packages import beginnings, periods, queries, quotes, redemptions, totals, wording
from packages.discounts import Discount
from packages.models import CouponUse, Meter, PriceVersion, Subscription, SubscriptionChange
from packages.models.usage import LATEST
from packages.queries import Held, Offered
from packages.quotes import Quote, Turnover, Use
from packages.terms import FEATURE, METERED, NO_TERM, SEAT, USED, Component, Terms

MONTHS = 3


@dataclass(frozen=True, slots=True)
class Month:
    """
    A whole month of the customer's calendar, [starts_at, ends_at).
    """

    first: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """
    What one subscription was used for in a month, by the codes of meters.

    turnover: of meters that carry a value.
    """

    month: Month
    seats: int
    quantities: Mapping[str, Decimal]
    turnover: Mapping[str, Sequence[Turnover]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """
    One price and what the months would have cost by it, without what is paid once.

    costs: of a longer term a month's part, rounded half up, as though each month of it were like
    this one. saving: against the present price; negative when it costs more.
    discount: of the subscription's coupon, where it is counted.
    lacks: what the customer uses and this plan does not give, in words; empty when it fits.
    """

    version: PriceVersion
    costs: list[Money]
    total: Money
    saving: Money
    discount: Discount | None = None
    lacks: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.lacks

    @property
    def months(self) -> int:
        return self.version.LENGTHS[self.version.interval]

    @property
    def coupon(self) -> str:
        return self.discount.code if self.discount else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """
    One subscription's months under its own price and under the others.

    months: the last whole ones since it began, up to MONTHS, oldest first. now: its own price.
    options: the others that fit, cheapest first. lacking: those that do not.
    meters: those that count for it, by code. is_final: no more use can be told for these months.
    ready_on: when its first whole month is over, or was. coupon: the code of the one it has.
    """

    subscription: Subscription
    months: list[Used]
    now: Option
    options: list[Option]
    lacking: list[Option]
    meters: dict[str, Meter]
    is_final: bool
    ready_on: date
    coupon: str

    @property
    def best(self) -> Option | None:
        """
        Return what would have cost least, None when nothing costs less than now.
        """
        return next((one for one in self.options if one.saving.amount > 0), None)


def advise(customer: Customer, *, at: datetime, only: Subscription | None = None) -> list[Advice]:
    """
    Return advice on each of a customer's subscriptions, or on one, at a moment.

    What cannot be had beside another subscription of the customer is no alternative. All use is
    counted, also what is beyond what is included, as though it were allowed. A coupon the
    subscription has is counted by every price it goes on with for MONTHS to come: one that is over
    sooner says little about them.
    """
    live = Subscription.objects.live().filter(customer=customer).whole()
    found = list(live.order_by("package__position", "pk"))
    if not found:
        return []
    months = whole_months(at, customer.time_zone)
    offered, held = queries.offers(customer, at=at), queries.held(customer)
    meters = _meters(found, offered)
    quantities, turnover = _used(customer, meters, months)
    seats, begun, coupons = _seats(found, months), _begun(found), _coupons(found)
    return [
        _advice(
            one,
            [
                Used(
                    month=month,
                    seats=seats[one.pk][place],
                    quantities=quantities[place],
                    turnover=turnover[place],
                )
                for place, month in enumerate(months)
                if begun[one.pk] <= month.starts_at
            ],
            _alternatives(one, offered, [other for other in held if other.subscription != one]),
            _own(one, found, meters),
            coupons.get(one.pk),
            periods.day_in(begun[one.pk], customer.time_zone),
            at,
        )
        for one in found
        if only in (None, one)
    ]


def whole_months(at: datetime, zone: str) -> list[Month]:
    """
    Return the last MONTHS months of a zone's calendar that are over, oldest first.
    """
    this = periods.day_in(at, zone).replace(day=1)
    firsts = [periods.boundary(this, "month", place) for place in range(-MONTHS, 1)]
    return [
        Month(first, periods.instant(first, zone), periods.instant(after, zone))
        for first, after in pairwise(firsts)
    ]


def month_cost(
    terms: Terms, used: Used, meters: Mapping[str, Meter], discount: Discount | None = None
) -> Quote:
    """
    Return the quote of a term of which each month is like this one; `per_month` is its cost.

    What a meter adds up grows with the term; its largest, its last and the number of different
    ones do not.
    """
    usage: dict[str, Use] = {}
    for one in terms.of_kind(*USED):
        meter = meters.get(one.code)
        if meter is None:
            continue
        times = terms.months if meter.aggregation == Meter.Aggregation.SUM else 1
        if one.kind == METERED:
            usage[one.code] = used.quantities[one.code] * times
        else:
            shares = used.turnover.get(one.code, ())
            usage[one.code] = [Turnover(share.value, share.count * times) for share in shares]
    return quotes.price(terms, seats=used.seats, usage=usage, discount=discount)


def counted(one: Advice, used: Used) -> str:
    """
    Say what of a month was counted: seats and what meters showed.
    """
    parts = []
    if one.now.version.terms.of_kind(SEAT):
        parts.append(f"{_('Seats')}: {wording.number(used.seats)}")
    for code, meter in one.meters.items():
        if used.quantities[code]:
            shown = f"{wording.number(used.quantities[code])} {meter.counted_in}".strip()
            parts.append(f"{meter.called}: {shown}")
    return " · ".join(parts) or _("nothing")


def _advice(
    subscription: Subscription,
    months: list[Used],
    alternatives: list[PriceVersion],
    meters: dict[str, Meter],
    coupon: CouponUse | None,
    begun_on: date,
    at: datetime,
) -> Advice:
    present = subscription.price_version
    now = _option(present, months, meters, coupon, None, present.terms)
    others = [
        _option(one, months, meters, coupon, now.total, present.terms) for one in alternatives
    ]
    others.sort(key=lambda one: (one.total.amount, one.months))
    whole = 1 if begun_on.day == 1 else 2
    return Advice(
        subscription=subscription,
        months=months,
        now=now,
        options=[one for one in others if one.fits],
        lacking=[one for one in others if not one.fits],
        meters=meters,
        is_final=not months or at >= months[-1].month.ends_at + LATEST,
        ready_on=periods.boundary(begun_on.replace(day=1), "month", whole),
        coupon=coupon.coupon.code if coupon else "",
    )


def _option(
    version: PriceVersion,
    months: list[Used],
    meters: Mapping[str, Meter],
    coupon: CouponUse | None,
    now: Money | None,
    present: Terms,
) -> Option:
    terms = version.terms
    discount = _discount(coupon, version)
    priced = [month_cost(terms, used, meters, discount) for used in months]
    costs = [one.per_month for one in priced]
    total = sum(costs, from_minor(0, terms.currency))
    lacks = [] if now is None else _lacks(terms, priced, months, present)
    return Option(
        version=version,
        costs=costs,
        total=total,
        saving=(total if now is None else now) - total,
        discount=discount,
        lacks=lacks,
    )


def _discount(coupon: CouponUse | None, version: PriceVersion) -> Discount | None:
    """
    Return what the coupon takes off a price; None when not of all the next MONTHS.
    """
    if coupon is None:
        return None
    length = version.LENGTHS[version.interval]
    if coupon.terms_left is not None and coupon.terms_left * length < MONTHS:
        return None
    return redemptions.discount(coupon, version.package_id)


def _lacks(
    terms: Terms, priced: Sequence[Quote], months: Sequence[Used], present: Terms
) -> list[str]:
    """
    Say what the customer has or used by the present price and would not get by another.
    """
    gives = {one.code for one in terms.components}
    lacks = [one.called for one in present.of_kind(FEATURE) if one.code not in gives]
    for one in present.of_kind(*USED):
        if one.code not in gives and any(used.quantities.get(one.code) for used in months):
            lacks.append(one.called)
    if not terms.of_kind(SEAT) and any(used.seats > 1 for used in months):
        lacks += [one.called for one in present.of_kind(SEAT)] or [_("Seats")]
    short = {
        line.component.code: line.component for one in priced for line in one.lines if line.refused
    }
    return lacks + [_limited(one) for one in short.values()]


def _limited(one: Component) -> str:
    limit = f"{wording.number(one.hard_limit or 0)} {one.counted_in}".strip()
    return _("%(name)s: no more than %(limit)s") % {"name": one.called, "limit": limit}


def _alternatives(
    one: Subscription, offered: Sequence[Offered], others: Sequence[Held]
) -> list[PriceVersion]:
    return [
        version
        for offer in offered
        if offer.package.kind == one.package.kind
        for version in offer.prices.values()
        if version.interval != NO_TERM and version.pk != one.price_version_id
        if beginnings.refusal(others, version, besides=one) is None
    ]


def _meters(found: Sequence[Subscription], offered: Sequence[Offered]) -> dict[str, Meter]:
    """
    Return every meter a price that may matter names.
    """
    versions = [one.price_version for one in found]
    versions += [version for offer in offered for version in offer.prices.values()]
    codes = {code for version in versions for code in _codes(version)}
    return {meter.code: meter for meter in Meter.objects.filter(code__in=codes).order_by("code")}


def _own(
    one: Subscription, found: Sequence[Subscription], meters: Mapping[str, Meter]
) -> dict[str, Meter]:
    """
    Return the meters that count for a subscription: not those that only another one pays for.
    """
    mine = _codes(one.price_version)
    elsewhere = {code for other in found if other != one for code in _codes(other.price_version)}
    return {code: meter for code, meter in meters.items() if code in mine or code not in elsewhere}


def _codes(version: PriceVersion) -> set[str]:
    return {component.code for component in version.terms.of_kind(*USED)}


def _used(
    customer: Customer, meters: Mapping[str, Meter], months: Sequence[Month]
) -> tuple[list[dict[str, Decimal]], list[dict[str, list[Turnover]]]]:
    """
    Return what was used in each month: quantities, and the transactions of what carries a value.
    """
    spans = [(meter, one.starts_at, one.ends_at) for one in months for meter in meters.values()]
    counted = iter(totals.measure(customer, spans))
    quantities = [{code: next(counted).quantity for code in meters} for _month in months]
    valued = [meter for meter in meters.values() if meter.carries_value]
    turnover = [
        {
            meter.code: totals.turnover(customer, meter, start=one.starts_at, end=one.ends_at)
            for meter in valued
        }
        for one in months
    ]
    return quantities, turnover


def _seats(found: Sequence[Subscription], months: Sequence[Month]) -> dict[int, list[int]]:
    """
    Return how many seats each subscription had at the end of each month.
    """
    changed: dict[int, list[SubscriptionChange]] = {one.pk: [] for one in found}
    applied = SubscriptionChange.objects.filter(
        subscription__in=found, to_seats__isnull=False, applied_at__isnull=False
    )
    for change in applied.order_by("applied_at", "pk"):
        changed[change.subscription_id].append(change)
    return {
        one.pk: [
            next(
                (then.from_seats for then in changed[one.pk] if then.applied_at >= month.ends_at),
                one.seats,
            )
            for month in months
        ]
        for one in found
    }


def _begun(found: Sequence[Subscription]) -> dict[int, datetime]:
    first = Subscription.objects.filter(pk__in=[one.pk for one in found], periods__number=1)
    return dict(first.values_list("pk", "periods__starts_at"))


def _coupons(found: Sequence[Subscription]) -> dict[int, CouponUse]:
    live = CouponUse.objects.live().filter(subscription__in=found).select_related("coupon")
    return {use.subscription_id: use for use in live.prefetch_related("coupon__packages")}
