"""
Many tellers at once: nothing is lost, nothing counts twice, nobody waits for ever.

The control run takes the lock of a customer's usage away. Then corrections see an event that others
are about to take away too, and the database refuses whole batches: the race is real.
"""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError

from packages import totals, usage
from packages.models import UsageEvent, UsageHour
from tests.factories import NOON, open_customer
from tests.packages.metering import correction, event, meter, recorded
from tests.wallet.racing import race

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 40


@pytest.fixture
def customer():
    meter()
    meter("storage", "LAST")
    return open_customer()


def telling(customer, *batches):
    return [
        lambda batch=batch: usage.record(customer=customer, events=batch, at=NOON)
        for batch in batches
    ]


def used(customer, code="api_calls") -> Decimal:
    start = NOON - timedelta(days=9)
    return totals.total(customer, code, start=start, end=NOON + timedelta(days=1))


def hours_are_whole(customer):
    """
    The hours say what the events say.
    """
    told: Counter = Counter()
    for one in UsageEvent.objects.filter(customer=customer):
        told[one.meter_id] += one.quantity
    kept: Counter = Counter()
    for hour in UsageHour.objects.filter(customer=customer):
        kept[hour.meter_id] += hour.total
    assert kept == told


class TestTheSameEvents:
    def test_count_once(self, customer):
        batch = [event(1, event_id=f"n{place}") for place in range(25)]
        shuffled = [batch[place:] + batch[:place] for place in range(MANY)]

        result = race(telling(customer, *shuffled))

        assert not result.broken and not result.lost
        said = Counter((one.accepted, one.duplicates, len(one.rejected)) for one in result.won)
        assert said == {(25, 0, 0): 1, (0, 25, 0): MANY - 1}
        assert used(customer) == 25
        hours_are_whole(customer)


class TestOtherEvents:
    def test_all_count(self, customer):
        batches = [
            [
                event(1 + place % 3, meter=code, occurred_at=NOON - timedelta(minutes=place * 7))
                for code in ("api_calls", "storage")
                for place in range(20)
            ]
            for _ in range(MANY)
        ]

        result = race(telling(customer, *(sorted(one, key=hash) for one in batches)))

        assert not result.broken and not result.lost
        assert {(one.accepted, one.rejected == []) for one in result.won} == {(40, True)}
        assert used(customer) == MANY * sum(1 + place % 3 for place in range(20))
        hours_are_whole(customer)


class TestCorrections:
    def test_take_no_more_than_there_was(self, customer):
        wrong = event(10)
        recorded(customer, wrong)

        result = race(telling(customer, *([correction(wrong, -3)] for _ in range(MANY))))

        assert not result.broken and not result.lost
        assert sum(one.accepted for one in result.won) == 3
        assert {it.code for one in result.won for it in one.rejected} == {"corrects_too_much"}
        assert used(customer) == 1
        hours_are_whole(customer)

    def test_without_the_lock_break_but_never_take_more(self, customer, monkeypatch):
        wrong = event(10)
        recorded(customer, wrong)
        monkeypatch.setattr(usage, "_LOCK", "SELECT pg_sleep(0.05 + 0 * %s)")

        result = race(telling(customer, *([correction(wrong, -3)] for _ in range(MANY))))

        assert result.of(IntegrityError)
        assert sum(one.accepted for one in result.won) == 3
        assert used(customer) == 1
        hours_are_whole(customer)

    def test_and_new_events_of_one_hour_are_all_seen(self, customer):
        wrong = [event(5, meter="storage", occurred_at=NOON) for _ in range(MANY // 2)]
        recorded(customer, *wrong)
        fresh = [[event(2, meter="storage", occurred_at=NOON)] for _ in wrong]

        result = race(telling(customer, *fresh, *([correction(one, -5)] for one in wrong)))

        assert not result.broken and not result.lost
        hour = UsageHour.objects.get(customer=customer)
        assert (hour.events, hour.total, hour.largest) == (MANY // 2, MANY, 2)
        assert used(customer, "storage") == 2
