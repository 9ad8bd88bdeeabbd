"""
What renewals cost, worked out once for each price version, number of seats and coupon.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.db.models import F
from djmoney.money import Money

from crm_billing.money import to_minor
from packages import charges, following, quotes, redemptions
from packages.following import Following
from packages.models import (
    Coupon,
    CouponUse,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
)
from packages.terms import Terms


@lru_cache(maxsize=4_096)
def terms_of(price_version_id: int) -> Terms:
    """
    Return what a published price says. It never changes, so it is remembered for good.
    """
    return PriceVersion.objects.whole().get(pk=price_version_id, published_at__isnull=False).terms


@dataclass(frozen=True, slots=True)
class EachTerm:
    """
    What a term that follows another costs, and the frozen lines that explain it, as JSON.

    minor: the amount, in minor units. has_coupon: it is the price with the coupon asked for; else
    that is not for the package.
    """

    amount: Money
    minor: int
    lines: str
    has_coupon: bool


class Prices:
    """
    A memory of prices for the length of one sweep: versions and coupons never change once
    published.
    """

    def __init__(self, known: Iterable[PriceVersion] = ()) -> None:
        """
        known: versions read with `whole()` already.
        """
        self._terms: dict[int, PriceVersion] = {one.pk: one for one in known}
        self._coupons: dict[int, Coupon] = {}
        self._each: dict[tuple[int, int, int | None, bool], EachTerm] = {}

    def each_term(
        self,
        price_version_id: int,
        seats: int,
        coupon_id: int | None = None,
        *,
        is_first: bool = False,
    ) -> EachTerm:
        """
        is_first: it is the first paid term of its package, with which what is paid once is paid.
        """
        asked = price_version_id, seats, coupon_id, is_first
        known = self._each.get(asked)
        if known is None:
            known = self._each[asked] = self._work_out(*asked)
        return known

    def next_terms(self, subscriptions: Collection[Subscription]) -> dict[int, EachTerm]:
        """
        Return what the next term of each costs, with the changes scheduled for it and its coupon.
        """
        uses = CouponUse.objects.live().filter(subscription__in=subscriptions)
        coupons = dict(uses.values_list("subscription_id", "coupon_id"))
        return {
            id: self.each_term(*of, coupons.get(id), is_first=is_first)
            for id, (*of, is_first) in _next_terms(subscriptions).items()
        }

    def _work_out(
        self, price_version_id: int, seats: int, coupon_id: int | None, is_first: bool
    ) -> EachTerm:
        version = self._terms.get(price_version_id)
        if version is None:
            version = PriceVersion.objects.whole().get(pk=price_version_id)
            self._terms[price_version_id] = version
        coupon = self._coupon(coupon_id)
        if coupon is not None and not redemptions.is_for(coupon, version.package_id):
            coupon = None
        quote = quotes.price(version.terms, seats=seats, discount=coupon and coupon.discount)
        taken = [one for one in quote.lines if one.recurs or (one.is_once and is_first)]
        amount = quote.at_start if is_first else quote.each_term
        return EachTerm(
            amount=amount,
            minor=to_minor(amount),
            lines=json.dumps(charges.frozen(taken), ensure_ascii=False),
            has_coupon=coupon is not None,
        )

    def _coupon(self, coupon_id: int | None) -> Coupon | None:
        if coupon_id is None:
            return None
        if coupon_id not in self._coupons:
            known = Coupon.objects.prefetch_related("packages")
            self._coupons[coupon_id] = known.get(pk=coupon_id)
        return self._coupons[coupon_id]


def coming(subscription: Subscription) -> Following:
    """
    Return what follows the last term of a subscription, with the changes scheduled for it.
    """
    [(version_id, seats, is_first)] = _next_terms([subscription]).values()
    version = PriceVersion.objects.whole().get(pk=version_id)
    return following.of(version, seats, redemptions.live(subscription), is_first=is_first)


def _next_terms(subscriptions: Collection[Subscription]) -> dict[int, tuple[int, int, bool]]:
    """
    Return of what price and for how many seats the next term of each is, and whether that is the
    first paid one of its package.
    """
    versions = {one.pk: one.price_version_id for one in subscriptions}
    seats = {one.pk: one.seats for one in subscriptions}
    packages = {one.pk: one.package_id for one in subscriptions}
    first = set(in_trial([one.pk for one in subscriptions if one.had_trial]))
    scheduled = SubscriptionChange.objects.scheduled().filter(subscription__in=versions)
    for change in scheduled.select_related("to_version"):
        if change.to_version is not None:
            versions[change.subscription_id] = change.to_version.pk
            if change.to_version.package_id != packages[change.subscription_id]:
                first.add(change.subscription_id)
        if change.to_seats is not None:
            seats[change.subscription_id] = change.to_seats
    return {id: (versions[id], seats[id], id in first) for id in versions}


def in_trial(subscription_ids: Iterable[int]) -> list[int]:
    """
    Return which of these subscriptions are in their trial, or were last: the next term is the
    first that is paid.
    """
    running = SubscriptionPeriod.objects.filter(
        subscription__in=subscription_ids,
        number=F("subscription__period_number"),
        is_trial=True,
    )
    return list(running.values_list("subscription_id", flat=True))
