"""
What the demo sells: four plans by the month, quarter, half-year and year, an add-on, two top-ups;
and a coupon that makes the first terms cheaper.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from packages import catalogue, coupons
from packages.catalogue import Facts
from packages.models import Package
from packages.periods import MONTHS
from packages.terms import (
    FEATURE,
    METERED,
    ONE_OFF,
    PERCENTAGE,
    RECURRING,
    SEAT,
    Component,
    Offer,
    Terms,
    Tier,
)

OWN = ("CNY", "month")  # what one customer has a price of its own for
CURRENCIES = {"CNY": 100, "USD": 15, "JPY": 20}  # minor units for what costs 1 yuan
CHEAPER = {"month": 100, "quarter": 95, "half_year": 90, "year": 83}  # per cent of as many months
FREE_CALLS = 1_000


def fill(customer: Customer, *, at: datetime, by: User) -> None:
    """
    Put everything on sale as of a past moment; reprice one plan since, and agree a price of its
    own with one customer. Publish a coupon.
    """
    for facts, prices in goods():
        package = catalogue.draft(facts=facts, prices=prices, at=at, by=by)
        catalogue.publish(package_id=package.pk, at=at, by=by)
    coupon(at=at, by=by)
    since = at + timedelta(days=20)
    basic, pro = (Package.objects.get(code=code) for code in ("basic", "pro"))
    for terms in _plan_basic(99):
        catalogue.reprice(package_id=basic.pk, terms=terms, valid_from=since, at=since, by=by)
    own = next(one for one in _plan_pro(259) if (one.currency, one.interval) == OWN)
    if customer.currency == own.currency:
        catalogue.reprice(
            package_id=pro.pk, terms=own, valid_from=since, at=since, by=by, customer=customer
        )


def coupon(*, at: datetime, by: User | None) -> None:
    """
    Publish WELCOME20: 20 % off the first three terms of the plans that cost something.
    """
    paid = Package.objects.filter(code__in=("basic", "pro", "enterprise")).order_by("position")
    welcome = coupons.draft(
        facts=coupons.Facts(
            code="WELCOME20",
            name="新客优惠",
            name_en="Welcome",
            bps=2_000,
            terms=3,
            most_uses=500,
            valid_from=at,
        ),
        packages=list(paid),
        at=at,
        by=by,
    )
    coupons.publish(coupon_id=welcome.pk, at=at, by=by)


def goods() -> list[tuple[Facts, list[Terms]]]:
    """
    Return everything on the shelf, as it was published first.
    """
    return [
        (
            _facts(
                "free", "免费版", "Free", "先用起来，随时升级", "Begin, and grow when you like", 1
            ),
            _plan_free(),
        ),
        (
            _facts("basic", "基础版", "Basic", "适合小团队日常使用", "For small teams", 2),
            _plan_basic(89),
        ),
        (
            _facts(
                "pro",
                "专业版",
                "Pro",
                "增长中的企业：更多席位与用量",
                "Growing: more seats and use",
                3,
            ),
            _plan_pro(299),
        ),
        (
            _facts(
                "enterprise",
                "企业版",
                "Enterprise",
                "单点登录、专属支持、更低费率",
                "Single sign-on, own support, lower rates",
                4,
            ),
            _plan_enterprise(999),
        ),
        (
            _facts(
                "sms",
                "短信增强包",
                "Text messages",
                "通知与验证码，按千条计费",
                "Notices and codes, by the thousand",
                5,
                kind=Package.Kind.ADD_ON,
            ),
            _messages(),
        ),
        (
            _facts(
                "insights",
                "经营分析",
                "Insights",
                "客户与消费报表，可先试用",
                "Reports on customers and spending; try them first",
                6,
                kind=Package.Kind.ADD_ON,
            ),
            _insights(),
        ),
        _top_up("topup-1000", "入门充值礼", "Starter top-up", 1_000, 50, 90, 7),
        _top_up("topup-5000", "成长充值礼", "Growth top-up", 5_000, 400, 180, 8),
    ]


def _facts(
    code: str,
    name: str,
    name_en: str,
    summary: str,
    summary_en: str,
    position: int,
    kind: str = Package.Kind.PLAN,
) -> Facts:
    return Facts(
        code=code,
        kind=kind,
        name=name,
        name_en=name_en,
        summary=summary,
        summary_en=summary_en,
        position=position,
    )


def _plan_free() -> list[Terms]:
    return [
        Terms(
            currency=currency,
            interval="month",
            components=(
                _basic(currency, 0, "month"),
                _seats(currency, "month", 1, [(None, "0")], hard_limit=1),
                _calls(currency, 1, FREE_CALLS, [(None, "0")], hard_limit=FREE_CALLS),
            ),
        )
        for currency in CURRENCIES
    ]


def _plan_basic(yuan: int) -> list[Terms]:
    return [
        Terms(
            currency=currency,
            interval=interval,
            components=(
                _basic(currency, yuan, interval),
                _seats(currency, interval, 3, [("10", "25"), (None, "20")]),
                _calls(currency, MONTHS[interval], 20_000, CALLS),
                _feature(currency, "exports", "数据导出", "Data exports"),
            ),
        )
        for currency in CURRENCIES
        for interval in MONTHS
    ]


def _plan_pro(yuan: int) -> list[Terms]:
    return [
        Terms(
            currency=currency,
            interval=interval,
            trial_days=14,
            components=(
                _basic(currency, yuan, interval),
                _seats(currency, interval, 10, [("20", "22"), ("50", "18"), (None, "15")]),
                _calls(currency, MONTHS[interval], 100_000, CALLS),
                _feature(currency, "exports", "数据导出", "Data exports"),
                _feature(currency, "support", "优先支持", "Priority support"),
                _collection(currency, 60),
            ),
        )
        for currency in CURRENCIES
        for interval in MONTHS
    ]


def _plan_enterprise(yuan: int) -> list[Terms]:
    return [
        Terms(
            currency=currency,
            interval=interval,
            components=(
                _basic(currency, yuan, interval),
                _seats(currency, interval, 30, [("50", "15"), ("200", "12"), (None, "9")]),
                _calls(currency, MONTHS[interval], 1_000_000, CALLS),
                _feature(currency, "exports", "数据导出", "Data exports"),
                _feature(currency, "support", "优先支持", "Priority support"),
                _feature(currency, "sso", "单点登录", "Single sign-on"),
                _collection(currency, 38),
                Component(
                    kind=ONE_OFF,
                    code="onboarding",
                    name="上线服务",
                    name_en="Onboarding",
                    amount=_amount(currency, 2_000),
                ),
            ),
        )
        for currency in CURRENCIES
        for interval in MONTHS
    ]


def _insights() -> list[Terms]:
    return [
        Terms(
            currency=currency,
            interval=interval,
            trial_days=14,
            components=(
                _basic(currency, 59, interval),
                _feature(currency, "insights", "经营分析", "Insights"),
            ),
        )
        for currency in CURRENCIES
        for interval in ("month", "year")
    ]


def _messages() -> list[Terms]:
    return [
        Terms(
            currency=currency,
            interval=interval,
            components=(
                _basic(currency, 29, interval),
                Component(
                    kind=METERED,
                    code="messages",
                    name="短信",
                    name_en="Text messages",
                    unit="条",
                    unit_en="messages",
                    model="PACKAGE",
                    package_size=Decimal(1_000),
                    tiers=_tiers(currency, [("20000", "38"), (None, "33")]),
                    included=Decimal(500 * MONTHS[interval]),
                ),
            ),
        )
        for currency in CURRENCIES
        for interval in ("month", "year")
    ]


def _top_up(
    code: str, name: str, name_en: str, yuan: int, bonus: int, days: int, position: int
) -> tuple[Facts, list[Terms]]:
    facts = _facts(code, name, name_en, "", "", position, kind=Package.Kind.TOP_UP)
    prices = [
        Terms(
            currency=currency,
            offer=Offer(
                amount=_amount(currency, yuan), bonus=_amount(currency, bonus), bonus_days=days
            ),
        )
        for currency in CURRENCIES
    ]
    return facts, prices


# Components

CALLS: list[tuple[str | None, str]] = [
    ("100000", "0.0040"),
    ("1000000", "0.0025"),
    (None, "0.0018"),
]


def _basic(currency: str, yuan: int, interval: str) -> Component:
    minor = yuan * MONTHS[interval] * CHEAPER[interval] // 100 * CURRENCIES[currency]
    return Component(
        kind=RECURRING,
        code="base",
        name="基础费用",
        name_en="Basic price",
        amount=from_minor(minor, currency),
    )


def _seats(
    currency: str,
    interval: str,
    included: int,
    tiers: list[tuple[str | None, str]],
    *,
    hard_limit: int | None = None,
) -> Component:
    months, percent = MONTHS[interval], CHEAPER[interval]
    by_term = [(up_to, str(Decimal(price) * months * percent / 100)) for up_to, price in tiers]
    return Component(
        kind=SEAT,
        code="seats",
        name="席位",
        name_en="Seats",
        unit="个",
        model="GRADUATED",
        tiers=_tiers(currency, by_term),
        included=Decimal(included),
        hard_limit=None if hard_limit is None else Decimal(hard_limit),
    )


def _calls(
    currency: str,
    months: int,
    included: int,
    tiers: list[tuple[str | None, str]],
    *,
    hard_limit: int | None = None,
) -> Component:
    by_term = [(up_to and str(int(up_to) * months), price) for up_to, price in tiers]
    return Component(
        kind=METERED,
        code="api_calls",
        name="API 调用",
        name_en="API calls",
        unit="次",
        unit_en="calls",
        model="GRADUATED",
        tiers=_tiers(currency, by_term),
        included=Decimal(included * months),
        hard_limit=None if hard_limit is None else Decimal(hard_limit * months),
        pack_units=None if hard_limit is not None else Decimal(10_000),
        pack_price=None if hard_limit is not None else _amount(currency, 30),
    )


def _feature(currency: str, code: str, name: str, name_en: str) -> Component:
    return Component(
        kind=FEATURE, code=code, name=name, name_en=name_en, amount=_amount(currency, 0)
    )


def _collection(currency: str, bps: int) -> Component:
    least = from_minor(max(CURRENCIES[currency] // 10, 1), currency)
    return Component(
        kind=PERCENTAGE,
        code="collection",
        name="代收手续费",
        name_en="Collection fee",
        bps=bps,
        least=least,
        most=_amount(currency, 25),
    )


def _tiers(currency: str, tiers: list[tuple[str | None, str]]) -> tuple[Tier, ...]:
    """
    Return tiers with prices of 1 yuan's worth in a currency.
    """
    yuan = from_minor(CURRENCIES[currency], currency).amount
    return tuple(
        {"up_to": up_to, "unit_price": f"{(Decimal(price) * yuan).normalize():f}"}
        for up_to, price in tiers
    )


def _amount(currency: str, yuan: int) -> Money:
    return from_minor(yuan * CURRENCIES[currency], currency)
