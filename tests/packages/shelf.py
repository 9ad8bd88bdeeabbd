"""
Packages that tests put on sale, by the commands staff use.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import Customer
from packages import catalogue, meters
from packages.catalogue import Facts
from packages.models import Meter, Package, PriceVersion
from packages.terms import PERCENTAGE, USED, Component, Offer, Terms
from tests.factories import NOON, cny

LATER = NOON + timedelta(days=30)


def basic(amount: str = "99.00") -> Component:
    return Component(
        kind="RECURRING", code="base", name="基础", name_en="Basic price", amount=cny(amount)
    )


def seats(included: int = 3, **facts) -> Component:
    return Component(
        **{
            "kind": "SEAT",
            "code": "seats",
            "name": "席位",
            "name_en": "Seats",
            "unit": "个",
            "unit_en": "seats",
            "model": "GRADUATED",
            "tiers": (
                {"up_to": "10", "unit_price": "25"},
                {"up_to": None, "unit_price": "20", "flat_price": "5"},
            ),
            "included": Decimal(included),
        }
        | facts
    )


def calls(included: int = 1000, **facts) -> Component:
    return Component(
        **{
            "kind": "METERED",
            "code": "api_calls",
            "name": "调用",
            "name_en": "API calls",
            "unit": "次",
            "unit_en": "calls",
            "model": "PER_UNIT",
            "tiers": ({"up_to": None, "unit_price": "0.0123"},),
            "included": Decimal(included),
        }
        | facts
    )


def fee(**facts) -> Component:
    return Component(
        **{
            "kind": "PERCENTAGE",
            "code": "collection",
            "name": "手续费",
            "name_en": "Collection fee",
            "bps": 60,
        }
        | facts
    )


def once(amount: str = "500.00") -> Component:
    return Component(
        kind="ONE_OFF", code="setup", name="上线", name_en="Onboarding", amount=cny(amount)
    )


def feature(amount: str = "0.00", code: str = "exports") -> Component:
    return Component(
        kind="FEATURE", code=code, name="导出", name_en="Data exports", amount=cny(amount)
    )


def terms(*components: Component, interval: str = "month", **facts) -> Terms:
    return Terms(currency="CNY", interval=interval, components=components or (basic(),), **facts)


def offer(amount: str = "1000.00", bonus: str = "50.00", days: int | None = 90) -> Terms:
    return Terms(currency="CNY", offer=Offer(amount=cny(amount), bonus=cny(bonus), bonus_days=days))


def facts(code: str = "pro", kind: str = "PLAN", **more) -> Facts:
    return Facts(
        **{"code": code, "kind": kind, "name": f"{code} 版", "name_en": code.title()} | more
    )


def drafted(*prices: Terms, code: str = "pro", kind: str = "PLAN", at: datetime = NOON) -> Package:
    return catalogue.draft(facts=facts(code, kind), prices=prices or [terms()], at=at, by=None)


def published(
    *prices: Terms, code: str = "pro", kind: str = "PLAN", at: datetime = NOON
) -> Package:
    package = drafted(*prices, code=code, kind=kind, at=at)
    counted(*prices)
    return catalogue.publish(package_id=package.pk, at=at, by=None)


def counted(*prices: Terms) -> None:
    """
    Add the meters that prices name and nobody has made yet.
    """
    for one in (component for terms in prices for component in terms.of_kind(*USED)):
        if not Meter.objects.filter(code=one.code).exists():
            meters.add(
                code=one.code,
                name=one.name,
                name_en=one.name_en,
                aggregation="SUM",
                carries_value=one.kind == PERCENTAGE,
                at=NOON - timedelta(days=400),
                by=None,
            )


def repriced(
    package: Package,
    new: Terms,
    *,
    at: datetime = LATER,
    valid_from: datetime | None = None,
    customer: Customer | None = None,
) -> PriceVersion:
    counted(new)
    return catalogue.reprice(
        package_id=package.pk,
        terms=new,
        valid_from=valid_from or at,
        at=at,
        by=None,
        customer=customer,
    )


def by_year(one: Terms, amount: str) -> Terms:
    parts = (basic(amount), *one.components[1:])
    return replace(one, interval="year", components=parts)
