"""
Whatever happens in whatever order, at whatever moment: kept answers are those worked out afresh.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Max
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import customers
from crm_billing.errors import DomainError
from packages import billing, packs, subscriptions
from packages.models import Package, PriceVersion, Subscription, UsageBill
from tests.factories import cny, fund, funded_customer
from tests.packages.asking import AT, answers, worked_out
from tests.packages.buying import bought, on_sale
from tests.packages.metering import event, meter, record
from tests.packages.renewing import DAY, swept, told
from tests.packages.shelf import basic, feature, published, repriced, seats, terms
from tests.packages.using import MARCH_10, allowed, calls, capped, stopped
from wallet import holds

pytestmark = pytest.mark.django_db(transaction=True)

PACKED = calls(1000, pack_units=Decimal(500), pack_price=cny("4.00"))
MINUTE, MICROSECOND = timedelta(minutes=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class World:
    one: Subscription
    bigger: PriceVersion

    @property
    def customer(self):
        return self.one.customer


def uses(quantity: int, ahead: timedelta) -> Callable[[World, datetime], object]:
    def tell(world: World, at: datetime) -> None:
        told_at = at + ahead + timedelta(hours=1)  # an event is of an hour before
        record(
            world.customer, event(quantity, at=told_at), event(1, meter="seats", at=told_at), at=at
        )

    return tell


def buys_a_pack(world: World, at: datetime) -> None:
    one = Subscription.objects.get(pk=world.one.pk)
    packs.buy(
        subscription_id=one.pk,
        code="api_calls",
        nth=1,
        period_number=one.period_number,
        price_version_id=one.price_version_id,
        at=at,
    )


def sweeps(_world: World, at: datetime) -> None:
    told(at)
    swept(at)
    billing.close(at=at)
    billing.settle(at=at)


def reprices(_world: World, at: datetime) -> None:
    package = Package.objects.get(code="huge")
    repriced(package, terms(basic("3.00"), calls(7)), at=at, valid_from=at + 3 * MINUTE)


def freezes(world: World, at: datetime) -> None:
    customers.freeze(customer_id=world.customer.pk, reason="x", at=at, by=None)


def unfreezes(world: World, at: datetime) -> None:
    customers.unfreeze(customer_id=world.customer.pk, reason="x", at=at, by=None)


ACTS = {
    "uses": uses(300, timedelta(0)),
    "uses much": uses(2000, -DAY),
    "uses by a fast clock": uses(300, 4 * MINUTE),
    "allows": lambda world, at: allowed(world.one, at=at),
    "allows an amount": lambda world, at: allowed(world.one, "5.00", at=at),
    "stops": lambda world, at: stopped(world.one, at=at),
    "caps": lambda world, at: capped(world.one, "3.00", at=at),
    "caps a feature": lambda world, at: capped(world.one, "2.00", at=at, code="api_calls"),
    "caps once": lambda world, at: capped(world.one, "9.00", at=at, once=True),
    "pays in": lambda world, at: fund(world.customer, "90.00", at=at),
    "holds": lambda world, at: holds.place(
        customer=world.customer, amount=cny("8.00"), reference=f"hold:{at}", at=at
    ),
    "buys a pack": buys_a_pack,
    "takes seats": lambda world, at: subscriptions.change(
        subscription_id=world.one.pk, seats=5, at=at
    ),
    "grows": lambda world, at: subscriptions.change(
        subscription_id=world.one.pk, price_version=world.bigger, at=at
    ),
    "cancels": lambda world, at: subscriptions.cancel(subscription_id=world.one.pk, at=at),
    "sweeps": sweeps,
    "reprices": reprices,
    "freezes": freezes,
    "unfreezes": unfreezes,
}
PAUSES = [
    timedelta(0),
    MICROSECOND,
    MINUTE,
    5 * MINUTE - MICROSECOND,
    3 * timedelta(hours=1),
    5 * DAY,
    12 * DAY,
    100 * DAY,
]


@pytest.fixture
def bigger() -> Iterator[PriceVersion]:
    meter()
    meter("seats", "LAST")
    published(terms(basic("900.00"), calls(90_000), feature()), code="huge", at=MARCH_10)
    yield on_sale(terms(basic("300.00"), PACKED, seats(2), feature()), code="bigger")
    billing.close(at=UsageBill.objects.aggregate(last=Max("made_at"))["last"] or AT)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    happenings=st.lists(
        st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from(PAUSES)), min_size=4, max_size=9
    ),
    auto_renew=st.booleans(),
)
def test_kept_answers_are_those_worked_out(bigger, happenings, auto_renew):
    small = PriceVersion.objects.filter(package__code="small").first() or on_sale(
        terms(basic("99.00"), PACKED, seats(1)), code="small"
    )
    one = bought(funded_customer("250.00"), small, at=MARCH_10, auto_renew=auto_renew)
    world, at = World(one, bigger), AT
    for act, pause in happenings:
        with suppress(DomainError):
            ACTS[act](world, at)
        for moment in (at, at + MICROSECOND, at + pause):
            assert answers(one.customer, moment) == worked_out(one.customer, moment), (act, moment)
        at = max(at + pause, at + MICROSECOND)
