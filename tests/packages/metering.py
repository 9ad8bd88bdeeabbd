"""
Meters and events that tests count with.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from accounts.models import Customer
from packages import meters, usage
from packages.models import Meter
from packages.usage import Event, UsageResult
from tests.factories import NOON, cny

_serial = count(1)
HOUR = timedelta(hours=1)


def meter(code: str = "api_calls", aggregation: str = "SUM", **facts) -> Meter:
    return meters.add(
        **{
            "code": code,
            "name": "调用",
            "name_en": "API calls",
            "unit": "次",
            "unit_en": "calls",
            "aggregation": aggregation,
            "at": NOON - timedelta(days=400),
            "by": None,
        }
        | facts
    )


def event(quantity: str | int | Decimal = 1, *, at: datetime = NOON, **facts) -> Event:
    """
    Return an event with a number of its own, of an hour before `at`.
    """
    return Event(
        **{
            "event_id": f"e{next(_serial)}",
            "meter": "api_calls",
            "quantity": Decimal(quantity),
            "occurred_at": at - HOUR,
        }
        | facts
    )


def correction(of: Event, quantity: str | int, **facts) -> Event:
    value = facts.pop("value", None)
    return replace(
        of,
        **{
            "event_id": f"c{next(_serial)}",
            "quantity": Decimal(quantity),
            "corrects": of.event_id,
            "value": None if value is None else cny(value),
        }
        | facts,
    )


def record(customer: Customer, *events: Event, at: datetime = NOON) -> UsageResult:
    return usage.record(customer=customer, events=events, at=at)


def recorded(customer: Customer, *events: Event, at: datetime = NOON) -> None:
    """
    Record events that must all be new.
    """
    result = record(customer, *events, at=at)
    assert (result.accepted, result.rejected) == (len(events), [])


def codes(result: UsageResult) -> list[str]:
    return [one.code for one in result.rejected]
