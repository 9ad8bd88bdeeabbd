from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from packages import totals
from packages.models import UsageEvent, UsageHour
from tests.factories import NOON, open_customer
from tests.packages.metering import HOUR, event, meter, recorded

pytestmark = pytest.mark.django_db


DAY = timedelta(days=1)


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def calls():
    return meter()


def used(customer, code="api_calls", *, start=NOON - 90 * DAY, end=NOON + DAY) -> Decimal:
    return totals.total(customer, code, start=start, end=end)


class TestTotal:
    def test_adds_up_takes_the_largest_the_last_or_counts_subjects(self, customer):
        expected = {"SUM": 14, "MAX": 9, "LAST": 2, "UNIQUE": 2}
        for aggregation, total in expected.items():
            code = aggregation.lower()
            meter(code, aggregation)
            recorded(
                customer,
                event(2, meter=code, subject="a", occurred_at=NOON - HOUR),
                event(3, meter=code, subject="b", occurred_at=NOON - 3 * HOUR),
                event(9, meter=code, subject="a", occurred_at=NOON - 2 * HOUR),
                event(0, meter=code, subject="c", occurred_at=NOON - 4 * HOUR),
            )
            assert used(customer, code) == total

    def test_counts_from_the_start_until_before_the_end(self, customer):
        meter()
        for moment in (NOON, NOON + HOUR, NOON + HOUR / 2):
            recorded(customer, event(1, occurred_at=moment), at=moment)

        assert used(customer, start=NOON, end=NOON + HOUR) == 2
        assert used(customer, start=NOON + timedelta(microseconds=1), end=NOON + HOUR) == 1
        assert used(customer, start=NOON + HOUR / 2, end=NOON + HOUR / 2) == 0
        assert used(customer, start=NOON + HOUR, end=NOON) == 0
        assert used(customer, start=NOON + HOUR, end=NOON + 2 * HOUR) == 1

    def test_takes_the_greater_number_of_two_last_at_one_moment(self, customer):
        meter("gauge", "LAST")
        for number, quantity in (("b", 2), ("C", 3), ("a", 1)):
            recorded(customer, event(quantity, meter="gauge", event_id=number))
        assert used(customer, "gauge") == 2

    def test_does_not_need_events_in_the_order_they_happened(self, customer):
        meter("gauge", "LAST")
        for hours in (3, 1, 2):
            recorded(customer, event(hours, meter="gauge", occurred_at=NOON - hours * HOUR))
        assert used(customer, "gauge") == 1

    def test_is_nothing_where_nothing_was_used(self, customer):
        for aggregation in ("SUM", "MAX", "LAST", "UNIQUE"):
            meter(aggregation.lower(), aggregation)
            assert used(customer, aggregation.lower()) == 0

    def test_knows_other_customers_apart(self, customer):
        meter()
        recorded(open_customer("Other"), event(5))
        assert used(customer) == 0


class TestDaily:
    @pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kolkata", "UTC", "Asia/Kathmandu"])
    def test_splits_at_the_midnights_of_a_zone(self, customer, zone):
        calls = meter()
        last = NOON.date()
        for minutes in range(0, 48 * 60, 7):
            moment = NOON - timedelta(minutes=minutes)
            recorded(customer, event(1, occurred_at=moment))

        [days] = totals.daily(customer, [calls], first=last - 3 * DAY, last=last + DAY, tz=zone)

        local = [
            one.astimezone(ZoneInfo(zone)).date()
            for one in UsageEvent.objects.values_list("occurred_at", flat=True)
        ]
        assert [(one.day, one.used.quantity) for one in days] == [
            (day, local.count(day)) for day in (last + place * DAY for place in range(-3, 2))
        ]

    def test_follows_the_clocks_of_summer_time(self, customer):
        calls = meter()
        start = datetime(2025, 3, 29, 23, 30, tzinfo=UTC)
        for hours in range(48):
            recorded(customer, event(1, occurred_at=start + hours * HOUR), at=start + 72 * HOUR)

        [days] = totals.daily(
            customer,
            [calls],
            first=datetime(2025, 3, 30, tzinfo=UTC).date(),
            last=datetime(2025, 3, 30, tzinfo=UTC).date(),
            tz="Europe/Berlin",
        )

        assert [one.used.quantity for one in days] == [23]


class TestHours:
    def test_hold_what_was_told_in_each(self, customer):
        meter()
        recorded(customer, event(2), event(3), event(4, occurred_at=NOON - 2 * HOUR))

        rows = UsageHour.objects.order_by("starts_at").values_list("events", "total", "largest")

        assert list(rows) == [(1, 4, 4), (2, 5, 3)]
