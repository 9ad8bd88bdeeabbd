"""
For any sequence of batches, totals are what the accepted events come to.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packages import totals, usage
from packages.models import Meter, UsageEvent
from packages.usage import Event
from tests.factories import NOON, open_customer
from tests.packages.metering import meter

pytestmark = pytest.mark.django_db

AGGREGATIONS = ("SUM", "MAX", "UNIQUE", "LAST")
NUMBERS = [f"n{place}" for place in range(9)]
QUARTER = timedelta(minutes=15)


@dataclass
class Model:
    """
    What was accepted, and what it comes to, the slow way.
    """

    told: dict[str, Event] = field(default_factory=dict)

    def left(self, code: str, start, end) -> list[tuple[Event, Decimal]]:
        found = []
        for one in self.told.values():
            if one.corrects or one.meter != code or not start <= one.occurred_at < end:
                continue
            taken = [it.quantity for it in self.told.values() if it.corrects == one.event_id]
            left = one.quantity + sum(taken)
            if left or not taken:
                found.append((one, left))
        return found

    def total(self, code: str, start, end) -> Decimal:
        left = self.left(code, start, end)
        match code:
            case "sum":
                return sum((quantity for _one, quantity in left), Decimal(0))
            case "max":
                return max((quantity for _one, quantity in left), default=Decimal(0))
            case "unique":
                return Decimal(len({one.subject for one, quantity in left if quantity > 0}))
            case _:
                last = max(left, key=lambda it: (it[0].occurred_at, it[0].event_id), default=None)
                return last[1] if last else Decimal(0)


quantities = st.sampled_from(["0", "1", "2.5", "7", "0.000001", "NaN"])
codes = st.sampled_from([one.lower() for one in AGGREGATIONS])
moments = st.integers(-24, 2).map(lambda quarters: NOON + quarters * QUARTER)


@st.composite
def told(draw) -> Event:
    mends = draw(st.booleans())
    quantity = Decimal(draw(quantities))
    return Event(
        event_id=draw(st.sampled_from(NUMBERS)),
        meter=draw(codes),
        quantity=-quantity if mends else quantity,
        occurred_at=draw(moments),
        subject=draw(st.sampled_from(["a", "b", "c"])),
        corrects=draw(st.sampled_from(NUMBERS)) if mends else "",
    )


@pytest.fixture
def of_every_kind():
    for aggregation in AGGREGATIONS:
        meter(aggregation.lower(), aggregation)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batches=st.lists(st.lists(told(), max_size=8), max_size=6),
    spans=st.lists(st.tuples(moments, moments), min_size=1, max_size=3),
)
def test_totals_are_what_the_accepted_events_come_to(of_every_kind, batches, spans):
    customer, model = open_customer(), Model()
    for batch in batches:
        result = usage.record(customer=customer, events=batch, at=NOON)
        assert result.accepted + result.duplicates + len(result.rejected) == len(batch)
        refused = {one.index for one in result.rejected}
        before = len(model.told)
        for index, one in enumerate(batch):
            if index not in refused:
                assert model.told.setdefault(one.event_id, one) == one
        assert len(model.told) - before == result.accepted
    assert UsageEvent.objects.filter(customer=customer).count() == len(model.told)

    everything = (NOON - 100 * QUARTER, NOON + 100 * QUARTER)
    for code in (one.lower() for one in AGGREGATIONS):
        for start, end in (everything, *spans):
            seen = totals.total(customer, code, start=start, end=end)
            assert seen == model.total(code, start, end), (code, start, end)
    hours = Meter.objects.get(code="sum")
    [whole] = totals.between(customer, [hours], start=everything[0], end=everything[1])
    assert whole.quantity == model.total("sum", *everything)
