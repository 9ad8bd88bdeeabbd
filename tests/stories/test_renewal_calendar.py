"""
Terms by the customer's own calendar: a year across summer time, the end of months, the leap day.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from packages.models import Charge
from packages.renewals import RenewalReport
from tests.factories import funded_customer
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.renewing import announced, now, swept
from tests.packages.shelf import basic, terms
from tests.stories.telling import entries, holding, wallet
from wallet.models import JournalEntry

pytestmark = pytest.mark.django_db

NEW_YORK = ZoneInfo("America/New_York")


def starts(subscription, zone: ZoneInfo) -> list[str]:
    return [
        f"{one.starts_at.astimezone(zone):%Y-%m-%d %H:%M}" for one in subscription.periods.all()
    ]


def renewed(subscription):
    """
    Let a term go by: not a second too early, once at its end, and not again.
    """
    subscription = announced(now(subscription))
    due = subscription.paid_until
    assert swept(due - due.resolution) == RenewalReport()
    assert swept(due) == RenewalReport(ok=1)
    assert swept(due) == RenewalReport()
    return now(subscription)


def test_a_year_in_new_york_begins_every_month_at_midnight():
    customer = funded_customer("1300.00", time_zone="America/New_York", currency="CNY")
    subscription = bought(customer, at=datetime(2025, 8, 31, 15, tzinfo=UTC))
    left = 1201
    assert wallet(customer) == holding(f"{left}.00", available=f"{left}.00")
    for _ in range(12):
        subscription = renewed(subscription)
        left -= 99
        assert wallet(customer) == holding(f"{left}.00", available=f"{left}.00")
    assert left == 13

    # Always midnight there, at five hours behind Greenwich in winter and at four in summer; the
    # day is the last of the month where it has no thirty-first.
    assert starts(subscription, NEW_YORK) == [
        "2025-08-31 00:00",
        "2025-09-30 00:00",
        "2025-10-31 00:00",
        "2025-11-30 00:00",
        "2025-12-31 00:00",
        "2026-01-31 00:00",
        "2026-02-28 00:00",
        "2026-03-31 00:00",
        "2026-04-30 00:00",
        "2026-05-31 00:00",
        "2026-06-30 00:00",
        "2026-07-31 00:00",
        "2026-08-31 00:00",
    ]
    hours = [one.starts_at.hour for one in subscription.periods.all()]
    assert hours == [4, 4, 4, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4]
    assert len(entries(customer)) == 14
    assert Charge.objects.filter(kind="RENEWAL").count() == 12
    references = JournalEntry.objects.filter(reference__startswith="renewal:")
    assert [one.reference[-10:] for one in references.order_by("pk")] == [
        start[:10] for start in starts(subscription, NEW_YORK)[1:]
    ]


def test_a_month_from_the_last_of_january_meets_the_leap_day():
    customer = funded_customer("400.00")
    subscription = bought(customer, at=shanghai(2028, 1, 31, 10))
    balances = []
    for _ in range(3):
        subscription = renewed(subscription)
        balances.append(wallet(customer)["available"])
    assert balances == ["202.00", "103.00", "4.00"]
    assert [day[5:10] for day in starts(subscription, ZoneInfo("Asia/Shanghai"))] == [
        "01-31",
        "02-29",
        "03-31",
        "04-30",
    ]


def test_a_year_from_the_leap_day_comes_back_to_it():
    customer = funded_customer("500.00")
    yearly = on_sale(terms(basic("100.00"), interval="year"))
    subscription = bought(customer, yearly, at=shanghai(2028, 2, 29, 9))
    assert wallet(customer) == holding("400.00", available="400.00")
    for left in ("300.00", "200.00", "100.00", "0.00"):
        subscription = renewed(subscription)
        assert wallet(customer) == holding(left, available=left)
    assert [day[:10] for day in starts(subscription, ZoneInfo("Asia/Shanghai"))] == [
        "2028-02-29",
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
    ]
    assert subscription.paid_until == shanghai(2033, 2, 28)
    assert len(entries(customer)) == 6
