"""
Customers who buy from the tests' shelf.
"""

from datetime import UTC, datetime

from djmoney.money import Money

from accounts.models import Customer
from packages import subscriptions
from packages.models import PriceVersion, Subscription
from packages.terms import Terms
from tests.factories import NOON, funded_customer
from tests.packages.shelf import basic, published, seats, terms
from wallet.queries import balance

MARCH_FIRST = NOON  # evening in Shanghai, the zone of the tests' customers


def shanghai(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """
    Return a moment by the clock of Shanghai, which is eight hours before UTC all year.
    """
    return datetime.fromisoformat(f"{year}-{month:02}-{day:02}T{hour:02}:00:00+08:00").astimezone(
        UTC
    )


def on_sale(*prices: Terms, code: str = "pro") -> PriceVersion:
    """
    Put a package with these prices on sale and return the first of them, whole.
    """
    package = published(*(prices or (terms(basic("99.00"), seats(1)),)), code=code)
    return PriceVersion.objects.whole().filter(package=package).earliest("number")


def bought(
    customer: Customer | None = None,
    version: PriceVersion | None = None,
    *,
    at: datetime = MARCH_FIRST,
    auto_renew: bool = True,
    **options,
) -> Subscription:
    return subscriptions.subscribe(
        customer=customer or funded_customer("1000.00"),
        price_version=version or on_sale(),
        auto_renew=auto_renew,
        at=at,
        **options,
    )


def left(customer: Customer) -> Money:
    """
    Return what a customer can spend.
    """
    return balance(customer, customer.currency).available
