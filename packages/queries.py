"""
What others may ask about packages.
"""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, OuterRef, Subquery

from accounts.models import Customer
from packages.models import Package, PriceVersion, Subscription, SubscriptionChange


@dataclass(slots=True)
class Offered:
    """
    A package as one customer may buy it. prices: term -> the version of it on sale.
    """

    package: Package
    prices: dict[str, PriceVersion] = field(default_factory=dict)

    def price(self, interval: str) -> PriceVersion:
        """
        Return the price for a term, or for the nearest one it is sold for.
        """
        return self.prices.get(interval) or next(iter(self.prices.values()))


@dataclass(frozen=True, slots=True)
class Held:
    """
    A subscription that lives. package_ids, version_ids: the package and the price it has, and those
    it will have when its term ends.
    """

    subscription: Subscription
    package_ids: set[int]
    version_ids: set[int]


def offers(customer: Customer, *, at: datetime) -> list[Offered]:
    """
    Return what a customer can buy at a moment, with the customer's own prices before the public
    ones; of each package the shorter terms first.

    Grandfathering: this is about who buys now. What is bought keeps the version it was bought at.
    """
    found: dict[int, Offered] = {}
    versions = PriceVersion.objects.on_sale(at).offered_to(customer).whole()
    for version in versions.order_by(
        "package__position", "package_id", F("customer").asc(nulls_last=True)
    ):
        offered = found.setdefault(version.package_id, Offered(version.package))
        offered.prices.setdefault(version.interval, version)
    for offered in found.values():
        by_length = sorted(offered.prices.items(), key=lambda one: PriceVersion.LENGTHS[one[0]])
        offered.prices = dict(by_length)
    return list(found.values())


def offer(customer: Customer, code: str, *, at: datetime) -> Offered | None:
    """
    Return one package as a customer may buy it, None when it is not offered to this one.
    """
    return next((one for one in offers(customer, at=at) if one.package.code == code), None)


def held(customer: Customer, *, besides: Subscription | None = None) -> list[Held]:
    """
    Return what a customer has, oldest first.

    besides: a subscription that does not count, as it is to become something else itself.
    """
    becoming = SubscriptionChange.objects.scheduled().filter(
        subscription=OuterRef("pk"), to_version__isnull=False
    )
    live = Subscription.objects.live().filter(customer=customer).exclude(pk=besides and besides.pk)
    found = live.annotate(
        becomes=Subquery(becoming.values("to_version")[:1]),
        becomes_package=Subquery(becoming.values("to_version__package")[:1]),
    )
    return [
        Held(
            subscription=one,
            package_ids={one.package_id, one.becomes_package} - {None},
            version_ids={one.price_version_id, one.becomes} - {None},
        )
        for one in found.select_related("package").order_by("pk")
    ]


def held_packages(customer: Customer, *, besides: Subscription | None = None) -> set[int]:
    """
    Return the ids of the packages a customer has, or will have when a term ends.
    """
    return set().union(*(one.package_ids for one in held(customer, besides=besides)))
