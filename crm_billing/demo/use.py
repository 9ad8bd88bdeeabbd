"""
What the demo's customers use: calls, text messages and collected payments of some weeks, told as
programs tell it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from accounts.models import Customer, User
from crm_billing.demo import cast
from crm_billing.money import from_minor
from packages import meters, usage
from packages.models import Meter
from packages.usage import Event

DAYS = 75
OPEN = range(7, 23)  # hours in which something happens
MISTAKE = 0.03


def fit(*, at: datetime, by: User | None) -> None:
    """
    Make the meters that the shelf's prices name.
    """
    calls = {"code": "api_calls", "name": "API 调用", "name_en": "API calls"}
    messages = {"code": "messages", "name": "短信", "name_en": "Text messages"}
    collection = {"code": "collection", "name": "代收", "name_en": "Collected payments"}
    for facts in (
        calls | {"unit": "次", "unit_en": "calls"},
        messages | {"unit": "条", "unit_en": "messages"},
        collection | {"unit": "笔", "unit_en": "payments", "carries_value": True},
    ):
        meters.add(aggregation=Meter.Aggregation.SUM, at=at, by=by, **facts)


def tell(customers: list[Customer], *, since: datetime, until: datetime, seed: int) -> None:
    """
    Tell what was used on each day since a moment, DAYS ago at most: each evening, all of the day.
    """
    first = max(since, until - timedelta(days=DAYS)).date()
    for place, customer in enumerate(customers):
        teller = Teller(customer, cast.part(place), random.Random(f"use:{seed}:{place}"))  # noqa: S311
        for day in (
            first + timedelta(days=count) for count in range((until.date() - first).days + 2)
        ):
            events = [one for one in teller.day(day) if since <= one.occurred_at <= until]
            if events:
                last = max(one.occurred_at for one in events)
                usage.record(customer=customer, events=events, at=last)


@dataclass(slots=True)
class Teller:
    """
    One customer's programs. Every chance is drawn from its own generator, as in `history`.
    """

    customer: Customer
    part: cast.Part
    chance: random.Random

    def day(self, day: date) -> Iterator[Event]:
        busy = 1.0 if day.weekday() < 5 else 0.35
        for hour in OPEN:
            moment = datetime.combine(day, time(hour), tzinfo=self.customer.zone)
            yield from self.calls(moment, busy)
        for number in range(round(self.chance.randint(0, 5) * busy)):
            yield self.told("messages", day, number, self.chance.randint(20, 20 + self.pace // 20))
        if self.part.kind == Customer.Kind.COMPANY:
            for number in range(round(self.chance.randint(2, 9) * busy)):
                worth = self.part.pace * self.chance.randint(2, 60) // 100
                told = self.told("collection", day, number, 1)
                yield replace(told, value=from_minor(max(worth, 1), self.customer.currency))

    def calls(self, moment: datetime, busy: float) -> Iterator[Event]:
        minutes = self.chance.randint(5, 59)
        count = max(round(self.pace * busy * self.chance.uniform(0.2, 1.4) / 25), 1)
        told = Event(
            event_id=f"calls-{moment:%Y%m%d-%H}",
            meter="api_calls",
            quantity=Decimal(count),
            occurred_at=moment + timedelta(minutes=minutes),
        )
        yield told
        if count > 20 and self.chance.random() < MISTAKE:  # counted twice in part, and mended
            yield replace(
                told,
                event_id=f"{told.event_id}-mended",
                quantity=Decimal(-(count // 5)),
                occurred_at=told.occurred_at + timedelta(minutes=20),
                corrects=told.event_id,
            )

    def told(self, meter: str, day: date, number: int, quantity: int) -> Event:
        seconds = self.chance.randint(OPEN.start * 3600, OPEN.stop * 3600)
        start = datetime.combine(day, time.min, tzinfo=self.customer.zone)
        return Event(
            event_id=f"{meter}-{day:%Y%m%d}-{number}",
            meter=meter,
            quantity=Decimal(quantity),
            occurred_at=start + timedelta(seconds=seconds),
        )

    @property
    def pace(self) -> int:
        """
        Return how busy the customer is, whatever a minor unit of its currency is worth.
        """
        return min(max(self.part.pace // 10, 100), 8_000)
