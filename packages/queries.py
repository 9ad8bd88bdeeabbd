"""
What others may ask about packages.
"""

from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, Subquery

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


def held(
    customer: Customer, package: Package, *, besides: Subscription | None = None
) -> Subscription | None:
    """
    Return the subscription a customer has of a package, or which becomes one when its term ends.

    besides: a subscription that does not count, as it is to become that one itself.
    """
    becoming = SubscriptionChange.objects.scheduled().filter(
        subscription=OuterRef("pk"), to_version__package=package
    )
    live = Subscription.objects.live().filter(customer=customer).exclude(pk=besides and besides.pk)
    return live.filter(Q(package=package) | Exists(becoming)).order_by("pk").first()


def held_packages(customer: Customer, *, besides: Subscription | None = None) -> set[int]:
    """
    Return the ids of the packages a customer has, or will have when a term ends.
    """
    live = Subscription.objects.live().filter(customer=customer).exclude(pk=besides and besides.pk)
    becoming = SubscriptionChange.objects.scheduled().filter(
        subscription__in=live, to_version__isnull=False
    )
    return {
        *live.values_list("package_id", flat=True),
        *becoming.values_list("to_version__package_id", flat=True),
    }


def held_prices(
    customer: Customer, *, besides: Subscription | None = None
) -> list[tuple[Subscription, set[int]]]:
    """
    Return a customer's subscriptions, oldest first, each with the ids of the price it has and of
    the one it will have when its term ends.
    """
    becoming = SubscriptionChange.objects.scheduled().filter(
        subscription=OuterRef("pk"), to_version__isnull=False
    )
    live = Subscription.objects.live().filter(customer=customer).exclude(pk=besides and besides.pk)
    found = live.annotate(becomes=Subquery(becoming.values("to_version")[:1]))
    return [
        (one, {one.price_version_id, one.becomes} - {None})
        for one in found.select_related("package").order_by("pk")
    ]


def had(customer: Customer, package: Package) -> bool:
    """
    Tell whether a customer has, has had or has tried a package: trials are for new ones.
    """
    return Subscription.objects.filter(customer=customer).having(package).exists()
