"""
Whom a change of what is on sale concerns, counted before it is made.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Customer
from packages.models import Package, PriceVersion
from packages.terms import Terms


@dataclass(frozen=True, slots=True)
class Affected:
    """
    One group of people that a change concerns, and how many they are.
    """

    who: str
    count: int


def by_retiring(package: Package, *, at: datetime) -> list[Affected]:
    """
    Return who would no longer find a package.
    """
    open_now = package.prices.on_sale(at)
    public = open_now.filter(customer=None).values_list("currency", flat=True)
    shown = Customer.objects.filter(status=Customer.Status.ACTIVE, currency__in=set(public))
    return [
        Affected(_("active customers who see it on their page of packages"), shown.count()),
        Affected(
            _("customers with a price of their own for it"),
            open_now.exclude(customer=None).values("customer").distinct().count(),
        ),
    ]


def by_a_price(
    package: Package, terms: Terms, *, customer: Customer | None, at: datetime
) -> list[Affected]:
    """
    Return who would see a new price, and who would not because of one of their own.

    customer: the one the price is for; None for everybody.
    """
    if customer is not None:
        return [Affected(_("the customer the price is for"), 1)]
    own = PriceVersion.objects.on_sale(at).filter(
        package=package, currency=terms.currency, interval=terms.interval, customer__isnull=False
    )
    keeping = own.values("customer")
    shown = Customer.objects.filter(status=Customer.Status.ACTIVE, currency=terms.currency)
    return [
        Affected(
            _("active customers who see the new price"), shown.exclude(pk__in=keeping).count()
        ),
        Affected(_("customers who keep a price of their own"), keeping.distinct().count()),
    ]
