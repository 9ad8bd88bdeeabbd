"""
What a change of a subscription costs: what is shown before is what is posted. Reads, never writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Sum
from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.errors import DomainError
from packages import change_parts, following, periods, quotes, redemptions, seating
from packages.change_parts import Part
from packages.following import Following
from packages.models import (
    CouponUse,
    ExtraPack,
    Overage,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
)
from packages.terms import METERED, USED


class NothingChanges(DomainError):
    """
    It is so already, or will be.
    """

    code = "nothing_changes"


class NotNow(DomainError):
    """
    It is unpaid, or ends with its term: there is nothing to change it from, or to.
    """

    code = "change_not_now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """
    A change of one subscription at a moment.

    at_once: it holds from `at` on and `due` is taken; else it waits until `effective_at` and takes
    nothing. new_term: a term begins with it, on `anchor_on`; else the running one goes on.
    following: what renews then, with what stays scheduled.
    coupon_use: what the new term begins with. coupon_ends: the code of the one that ends with it.
    replaces: what was scheduled and is taken back by it.
    owes_use: it waits because use may be owed that the other price does not count. packs_end: units
    of extra packs of the running term that are gone with it, by the code of their feature.
    """

    version: PriceVersion
    seats: int
    at_once: bool
    new_term: bool
    effective_at: datetime
    starts_at: datetime
    ends_at: datetime
    anchor_on: date
    parts: list[Part]
    due: Money
    following: Following
    replaces: Sequence[SubscriptionChange] = ()
    coupon_use: CouponUse | None = None
    coupon_ends: str = ""
    owes_use: bool = False
    packs_end: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    What a subscription is compared by. was, becomes: of the running term, which keeps the coupon
    it was begun with. anew: of a term begun now, with the coupon the subscription has, `use`, if
    that `holds` for it. next_version, next_seats: of the term after it, with what stays scheduled.
    """

    was: quotes.Quote
    becomes: quotes.Quote
    anew: quotes.Quote
    use: CouponUse | None
    holds: bool
    next_version: PriceVersion
    next_seats: int

    def following(self, in_force: int, *, is_trial: bool = False, begun: int = 0) -> Following:
        """
        Return what renews.

        in_force: the package whose term runs until then. is_trial: that term is a trial. begun:
        terms that begin before with the coupon.
        """
        is_first = is_trial or self.next_version.package_id != in_force
        return following.of(
            self.next_version, self.next_seats, self.use, is_first=is_first, begun=begun
        )


def plan(
    subscription: Subscription,
    *,
    version: PriceVersion,
    seats: int,
    at: datetime,
) -> Planned:
    """
    Return what a change to this price and so many seats does at a moment.

    What costs more holds at once, for the rest of the term; what costs less, from the next term
    on. Another length of term begins a new term today, and what is left of the old one is set off.
    Shares are of the prices with the coupons they were, or are, to be paid with. A trial goes on
    with what has a trial of its own and is new to the customer; all else follows the trial.

    subscription, version: read with `whole()`.
    raises BadSeats: so many are not sold.
    raises NothingChanges: it has this price and so many seats.
    raises NotNow: it is unpaid, would have to wait for a term that does not come, or does not go
    with what is scheduled.
    source: D§8.2
    """
    if (version.pk, seats) == (subscription.price_version_id, subscription.seats):
        raise NothingChanges(_("That is what you have now. Choose something else."))
    seating.require(version.terms, seats)
    if subscription.is_paused:
        raise NotNow(_("It is paused. Resume it first, then change it."))
    if subscription.is_past_due or subscription.paid_until <= at:
        raise NotNow(_("The current term is not paid yet. Top up first, then change it."))
    period = SubscriptionPeriod.objects.select_related("coupon_use__coupon").get(
        subscription=subscription, number=subscription.period_number
    )
    scheduled = list(subscription.changes.scheduled())
    replaces = _replaced(scheduled, subscription, version, seats)
    stays = next((one for one in scheduled if one not in replaces), None)
    prices = _compared(subscription, period, version, seats, stays)
    planned = (
        _in_this_term(subscription, period, version, seats, prices, at)
        if version.interval == subscription.price_version.interval or period.is_trial
        else _by_a_new_term(subscription, period, version, seats, prices, at)
    )
    if planned.at_once and planned.new_term and subscription.pauses.scheduled().exists():
        raise NotNow(_("A pause is to follow this term. Take it back first, then change the term."))
    if not planned.at_once and not subscription.auto_renew:
        raise NotNow(
            _("It ends with the current term. Switch renewal on first, or keep it as it is.")
        )
    if stays and stays.to_version_id and not _goes_with(planned, stays, prices.next_version):
        raise NotNow(
            _(
                "It becomes %(package)s when the term ends, and this does not go with that."
                " Take that back first."
            )
            % {"package": prices.next_version.package.called}
        )
    planned = replace(planned, replaces=replaces)
    return _with_packs(_with_coupon(planned, prices), subscription)


def _replaced(
    scheduled: Sequence[SubscriptionChange],
    subscription: Subscription,
    version: PriceVersion,
    seats: int,
) -> list[SubscriptionChange]:
    """
    Return what was scheduled of the same sort. A change of seats alone leaves another price that
    was scheduled as it is, and one of the price alone the seats, if that is sold with so many.
    """
    if version.pk == subscription.price_version_id:
        return [one for one in scheduled if one.to_version_id is None]
    most = seating.most(version.terms) if seats == subscription.seats else 0
    return [one for one in scheduled if one.to_version_id or one.to_seats > most]


def _goes_with(planned: Planned, stays: SubscriptionChange, version: PriceVersion) -> bool:
    """
    Tell whether a change of seats goes with the other price that stays scheduled.
    """
    return planned.at_once if stays.to_seats else planned.seats <= seating.most(version.terms)


def _compared(
    subscription: Subscription,
    period: SubscriptionPeriod,
    version: PriceVersion,
    seats: int,
    stays: SubscriptionChange | None,
) -> Compared:
    present, package_id = subscription.price_version.terms, version.package_id
    begun_with, use = period.coupon_use, redemptions.live(subscription)
    return Compared(
        was=quotes.price(
            present,
            seats=subscription.seats,
            discount=redemptions.discount(begun_with, subscription.package_id),
        ),
        becomes=quotes.price(
            version.terms, seats=seats, discount=redemptions.discount(begun_with, package_id)
        ),
        anew=quotes.price(
            version.terms, seats=seats, discount=redemptions.discount(use, package_id)
        ),
        use=use,
        holds=redemptions.discount(use, package_id) is not None,
        next_version=PriceVersion.objects.whole().get(pk=stays.to_version_id)
        if stays and stays.to_version_id
        else version,
        next_seats=stays.to_seats if stays and stays.to_seats else seats,
    )


def _with_coupon(planned: Planned, prices: Compared) -> Planned:
    """
    Add what becomes of the coupon the subscription has.
    """
    use = prices.use
    if use is None:
        return planned
    if prices.holds:
        return replace(planned, coupon_use=use if planned.at_once and planned.new_term else None)
    ends = planned.following.course is None
    return replace(planned, coupon_ends=use.coupon.code if ends else "")


def _with_packs(planned: Planned, subscription: Subscription) -> Planned:
    """
    Add the extra packs that go with the running term, or that the other price cannot count.
    """
    if not planned.at_once:
        return planned
    bought = ExtraPack.objects.filter(
        subscription=subscription, period_number=subscription.period_number
    )
    units = dict(bought.order_by("code").values_list("code").annotate(Sum("units")))
    counted = {one.code for one in planned.version.terms.of_kind(METERED)}
    stays = set() if planned.new_term else counted
    ended = {code: count for code, count in units.items() if code not in stays}
    return replace(planned, packs_end=ended)


def _in_this_term(
    subscription: Subscription,
    period: SubscriptionPeriod,
    version: PriceVersion,
    seats: int,
    prices: Compared,
    at: datetime,
) -> Planned:
    was, becomes = prices.was, prices.becomes
    is_other = version.package_id != subscription.package_id
    parts: list[Part] = []
    if not period.is_trial:
        gone, come = change_parts.differing(was, becomes)
        paid = change_parts.paid(subscription)
        parts += [change_parts.given_back(one, paid, at, period) for one in gone]
        parts += [change_parts.taken(one, at, period) for one in come]
        if is_other:
            parts += [change_parts.whole(one) for one in becomes.lines if one.is_once]
    due = change_parts.total(parts, subscription.currency)
    owes_use = not period.is_trial and _leaves_use_uncounted(subscription, was, becomes)
    at_once = due.amount >= 0 and not owes_use
    if period.is_trial:
        at_once = _is_tried_too(subscription, version)
    return Planned(
        version=version,
        seats=seats,
        at_once=at_once,
        new_term=False,
        effective_at=at if at_once else period.ends_at,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        anchor_on=subscription.anchor_on,
        parts=parts if at_once else [],
        due=due if at_once else due * 0,
        following=prices.following(
            version.package_id if at_once else subscription.package_id, is_trial=period.is_trial
        ),
        owes_use=owes_use,
    )


def _is_tried_too(subscription: Subscription, version: PriceVersion) -> bool:
    """
    Tell whether a running trial goes on with another price, which nothing is paid for either.
    """
    if version.package_id == subscription.package_id:
        return True
    others = Subscription.objects.filter(customer_id=subscription.customer_id)
    had = others.exclude(pk=subscription.pk).packages_had()
    return bool(version.trial_days) and version.package_id not in had


def _leaves_use_uncounted(
    subscription: Subscription, was: quotes.Quote, becomes: quotes.Quote
) -> bool:
    """
    Tell whether use that the customer has allowed to be charged would no longer be counted.
    """
    counted = {one.code for one in was.terms.of_kind(*USED)}
    counted -= {one.code for one in becomes.terms.of_kind(*USED)}
    allowed = Overage.objects.exclude(policy=Overage.Policy.BLOCK)
    return bool(counted) and allowed.filter(subscription=subscription, code__in=counted).exists()


def _by_a_new_term(
    subscription: Subscription,
    period: SubscriptionPeriod,
    version: PriceVersion,
    seats: int,
    prices: Compared,
    at: datetime,
) -> Planned:
    was, becomes = prices.was, prices.anew
    zone = subscription.zone
    today = periods.day_in(at, zone)
    cut, ends_at = periods.span(today, version.interval, 0, zone)
    cut = max(cut, period.starts_at)
    paid = change_parts.paid(subscription)
    again = [one for one in was.lines if one.recurs]
    parts = [change_parts.given_back(one, paid, cut, period) for one in again]
    is_other = version.package_id != subscription.package_id
    parts += [
        change_parts.whole(one) for one in becomes.lines if one.recurs or (one.is_once and is_other)
    ]
    due = change_parts.total(parts, subscription.currency)
    if due.amount < 0:
        return Planned(
            version=version,
            seats=seats,
            at_once=False,
            new_term=True,
            effective_at=period.ends_at,
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            anchor_on=periods.day_in(period.ends_at, zone),
            parts=[],
            due=due * 0,
            following=prices.following(subscription.package_id),
        )
    return Planned(
        version=version,
        seats=seats,
        at_once=True,
        new_term=True,
        effective_at=at,
        starts_at=cut,
        ends_at=ends_at,
        anchor_on=today,
        parts=parts,
        due=due,
        following=prices.following(version.package_id, begun=int(prices.holds)),
    )
