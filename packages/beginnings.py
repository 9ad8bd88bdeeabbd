"""
How a subscription would begin, and who may begin one. Reads, never writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.errors import DomainError
from packages import agreements, periods, prices, queries, quotes, seating, wording
from packages.catalogue import NotOnSale
from packages.discounts import Course
from packages.models import Coupon, Package, PriceVersion, Subscription
from packages.queries import Held
from packages.terms import USED, Terms


class AlreadySubscribed(DomainError):
    """
    The customer has this package; `data["number"]` is its subscription.
    """

    code = "already_subscribed"


class UseCounted(DomainError):
    """
    Use the price charges for is counted already, by the subscription `data["number"]`, and would
    not be by another one.
    """

    code = "use_counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """
    How a subscription would begin.

    quote: the price of the first paid term, with the coupon where there is one. due: what it takes
    from the wallet now, nothing for a trial. each_term: what the next renewal costs before usage.
    course: how the coupon goes on after what begins now.
    starts_at, ends_at: of the first period, the trial where there is one.
    anchor_on: the day paid periods are counted from.
    """

    terms: Terms
    quote: quotes.Quote
    due: Money
    has_trial: bool
    starts_at: datetime
    ends_at: datetime
    anchor_on: date
    zone: str
    coupon: Coupon | None = None
    course: Course | None = None

    @property
    def each_term(self) -> Money:
        plain = self.quote.each_term
        return plain if self.course is None else self.course.each_term(plain)


def first(
    *,
    customer: Customer,
    price_version: PriceVersion,
    seats: int,
    at: datetime,
    coupon: Coupon | None = None,
) -> First:
    """
    Return how a customer's subscription would begin now. Reads only.

    price_version: read with `whole()`.
    coupon: one that may be used for it; see `redemptions.find`.
    raises NotOnSale: it is a top-up.
    raises BadSeats: fewer than one, or more than are sold.
    """
    terms = price_version.terms
    if price_version.package.kind == Package.Kind.TOP_UP:
        raise NotOnSale(_("This is bought once, not subscribed to."))
    seating.require(terms, seats)
    discount = coupon and coupon.discount
    quote = quotes.price(terms, seats=seats, discount=discount)
    zone = customer.time_zone
    today = periods.day_in(at, zone)
    known = Subscription.objects.filter(customer=customer)
    has_trial = bool(terms.trial_days) and price_version.package_id not in known.packages_had()
    if has_trial:
        starts_at, ends_at = periods.days(today, terms.trial_days, zone)
        anchor_on = periods.day_in(ends_at, zone)
    else:
        starts_at, ends_at = periods.span(today, terms.interval, 0, zone)
        anchor_on = today
    return First(
        terms=terms,
        quote=quote,
        due=quote.at_start * 0 if has_trial else quote.at_start,
        has_trial=has_trial,
        starts_at=starts_at,
        ends_at=ends_at,
        anchor_on=anchor_on,
        zone=zone,
        coupon=coupon,
        course=coupon
        and Course(
            discount=coupon.discount,
            left=coupon.terms and coupon.terms - (not has_trial),
            full=quotes.price(terms, seats=seats).each_term,
        ),
    )


def agreement(version: PriceVersion, begun: First, *, auto_renew: bool) -> str:
    """
    Return what a customer agrees to by subscribing, in the active language.
    """
    return agreements.agreement(
        version.package.called,
        begun.quote,
        auto_renew=auto_renew,
        zone=begun.zone,
        trial_until=begun.ends_at if begun.has_trial else None,
        course=begun.course,
    )


def is_offered(version: PriceVersion, customer: Customer, at: datetime) -> bool:
    """
    Tell whether a customer may buy a price at a moment.
    """
    return PriceVersion.objects.on_sale(at).offered_to(customer).filter(pk=version.pk).exists()


def require_new(
    customer: Customer, version: PriceVersion, *, besides: Subscription | None = None
) -> None:
    """
    Refuse a second subscription to the same package, one beside a subscription that becomes it,
    and one that charges for use which another one counts.

    besides: the one that is to become it.
    raises AlreadySubscribed, UseCounted: as they say.
    """
    refusal = in_the_way(customer, version, besides=besides)
    if refusal is not None:
        raise refusal


def in_the_way(
    customer: Customer, version: PriceVersion, *, besides: Subscription | None = None
) -> AlreadySubscribed | UseCounted | None:
    """
    Return why a customer's other subscriptions do not let a price stand beside them.
    """
    return refusal(queries.held(customer, besides=besides), version, besides=besides)


def refusal(
    held: Sequence[Held], version: PriceVersion, *, besides: Subscription | None = None
) -> AlreadySubscribed | UseCounted | None:
    """
    Return why what is held, read before, does not let a price stand beside it.

    version: read with `whole()`. besides: the one that is to become it, not among them.
    """
    for other in held:
        if version.package_id in other.package_ids:
            known = other.subscription
            return AlreadySubscribed(already(known, version.package), number=known.number)
    names = {one.code: one.called for one in version.terms.of_kind(*USED)}
    if besides is not None and besides.package_id == version.package_id:
        for code in _counted(besides.price_version_id):
            names.pop(code, None)
    for other in held if names else ():
        both = [name for code, name in names.items() if code in _counted(*other.version_ids)]
        if both:
            known = other.subscription
            return UseCounted(_counts(known, both), number=known.number)
    return None


def _counted(*version_ids: int) -> set[str]:
    return {one.code for pk in version_ids for one in prices.terms_of(pk).of_kind(*USED)}


def already(held: Subscription, package: Package) -> str:
    """
    Say how a customer comes to have a package; see `queries.held`.
    """
    if held.package_id == package.pk:
        return _("You have this package already.")
    return _("%(number)s becomes this package when its term ends. Take that back first.") % {
        "number": held.number
    }


def _counts(held: Subscription, names: list[str]) -> str:
    return _(
        "Your package %(package)s counts this already: %(use)s. The same use counts only once."
        " Change %(package)s instead of having both."
    ) % {"package": held.package.called, "use": wording.listed(names)}
