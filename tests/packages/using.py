"""
Customers with a metered package, who use it and whose terms end.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from djmoney.money import Money

from packages import allowing, beginnings, billing
from packages.models import Overage, Subscription, UsageBill
from packages.models.usage import LATEST
from packages.terms import Component
from tests.factories import cny, funded_customer
from tests.packages.buying import MARCH_FIRST, bought, on_sale, shanghai
from tests.packages.metering import event, meter, recorded
from tests.packages.shelf import basic, terms

CENT_EACH = ({"up_to": None, "unit_price": "0.01"},)


def calls(included: int = 1000, **facts) -> Component:
    """
    Return calls at one fen each beyond what is included.
    """
    return Component(
        **{
            "kind": "METERED",
            "code": "api_calls",
            "name": "调用",
            "name_en": "API calls",
            "unit": "次",
            "unit_en": "calls",
            "model": "PER_UNIT",
            "tiers": CENT_EACH,
            "included": Decimal(included),
        }
        | facts
    )


def metered(*components: Component, balance: str = "1000.00", **options) -> Subscription:
    """
    Return a subscription of 1 March whose use is counted on a meter.
    """
    if not options.pop("no_meter", False):
        meter()
    code = options.pop("code", "pro")
    version = on_sale(terms(basic("99.00"), *(components or (calls(),))), code=code)
    return bought(funded_customer(balance), version, **options)


def without_the_rule(monkeypatch) -> None:
    """
    Let customers hold two packages that count the same use, as they could once.
    """
    monkeypatch.setattr(beginnings, "_counted", lambda *_version_ids: set())


def used(subscription: Subscription, quantity: str | int, *, at: datetime) -> None:
    recorded(subscription.customer, event(quantity, at=at + timedelta(hours=1)), at=at)


def allowed(
    subscription: Subscription,
    most: str | None = None,
    *,
    code: str = "api_calls",
    at: datetime = MARCH_FIRST,
) -> Overage:
    """
    Let use go on: up to an amount in a term, or without end.
    """
    return allowing.allow(
        subscription_id=subscription.pk,
        code=code,
        policy="ALLOW" if most is None else "CAP_AMOUNT",
        most=None if most is None else cny(most),
        at=at,
    )


def stopped(subscription: Subscription, *, at: datetime) -> Overage:
    return allowing.allow(subscription_id=subscription.pk, code="api_calls", policy="BLOCK", at=at)


def capped(subscription: Subscription, most: str | None, *, at: datetime = MARCH_FIRST, **options):
    return allowing.cap(customer=subscription.customer, most=most and cny(most), at=at, **options)


def final(subscription: Subscription) -> datetime:
    """
    Return when the use of the last period can be billed.
    """
    return subscription.paid_until + LATEST


def billed(subscription: Subscription, at: datetime | None = None) -> UsageBill:
    billing.close(at=at or final(subscription))
    return UsageBill.objects.get(subscription=subscription, period_number=1)


def taken(subscription: Subscription, at: datetime | None = None) -> Money:
    """
    Return what the use of the first term came to.
    """
    return billed(subscription, at).amount


MARCH_10, MARCH_20 = shanghai(2025, 3, 10), shanghai(2025, 3, 20)
