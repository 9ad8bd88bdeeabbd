"""
Subscriptions of tests that become others.
"""

from packages import subscriptions
from packages.models import PriceVersion
from tests.factories import funded_customer
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.shelf import basic, by_year, published, seats, terms

MARCH_11 = shanghai(2025, 3, 11)


def changed(subscription, version=None, count=None, *, at=MARCH_11, **options):
    return subscriptions.change(
        subscription_id=subscription.pk, price_version=version, seats=count, at=at, **options
    )


def by_month_and_year(code: str = "pro", monthly: str = "99.00", yearly: str = "990.00"):
    """
    Put a package on sale for two terms and return both prices.
    """
    month = terms(basic(monthly), seats(1))
    package = published(month, by_year(month, yearly), code=code)
    return list(PriceVersion.objects.whole().filter(package=package).order_by("number"))


def becoming():
    """
    Return a subscription scheduled to become a package, another one, and both prices.
    """
    customer = funded_customer("3000.00")
    big, small = on_sale(terms(basic("900.00")), code="big"), on_sale(code="small")
    subscription = bought(customer, big)
    other = bought(customer, on_sale(terms(basic("500.00")), code="other"))
    changed(subscription, small)
    return subscription, other, big, small
