"""
What renewals cost, worked out once for each price version and number of seats.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from djmoney.money import Money

from packages import charges, quotes
from packages.models import PriceVersion, Subscription, SubscriptionChange
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
    What a term costs again, and the frozen lines that explain it, as JSON.
    """

    amount: Money
    lines: str


class Prices:
    """
    A memory of prices for the length of one sweep: versions never change once published.
    """

    def __init__(self) -> None:
        self._terms: dict[int, PriceVersion] = {}
        self._each: dict[tuple[int, int], EachTerm] = {}

    def each_term(self, price_version_id: int, seats: int) -> EachTerm:
        known = self._each.get((price_version_id, seats))
        if known is None:
            known = self._each[price_version_id, seats] = self._work_out(price_version_id, seats)
        return known

    def next_terms(self, subscriptions: Collection[Subscription]) -> dict[int, EachTerm]:
        """
        Return what the next term of each costs, with the changes scheduled for it.
        """
        versions = {one.pk: one.price_version_id for one in subscriptions}
        seats = {one.pk: one.seats for one in subscriptions}
        for change in SubscriptionChange.objects.scheduled().filter(subscription__in=versions):
            if change.to_version_id is not None:
                versions[change.subscription_id] = change.to_version_id
            if change.to_seats is not None:
                seats[change.subscription_id] = change.to_seats
        return {id: self.each_term(versions[id], seats[id]) for id in versions}

    def _work_out(self, price_version_id: int, seats: int) -> EachTerm:
        version = self._terms.get(price_version_id)
        if version is None:
            version = PriceVersion.objects.whole().get(pk=price_version_id)
            self._terms[price_version_id] = version
        quote = quotes.price(version.terms, seats=seats)
        again = [line for line in quote.lines if not (line.is_use or line.is_once)]
        return EachTerm(
            amount=quote.each_term,
            lines=json.dumps(charges.frozen(again), ensure_ascii=False),
        )
