"""
Bills, packs and limits at once: each term is billed and taken once, at most as allowed.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from packages import billing, packs
from packages.models import Charge, ExtraPack, UsageBill
from tests.factories import cny
from tests.packages.buying import left
from tests.packages.renewing import announced, swept
from tests.packages.using import MARCH_10, allowed, calls, capped, final, metered, stopped, used
from tests.wallet.racing import prove, race

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 12


def packed():
    return metered(replace(calls(), pack_units=Decimal(500), pack_price=cny("4.00")))


def buys(subscription, at):
    return lambda: packs.buy(
        subscription_id=subscription.pk,
        code="api_calls",
        nth=1,
        period_number=1,
        price_version_id=subscription.price_version_id,
        at=at,
    )


def test_a_term_is_billed_and_taken_once():
    subscription = metered()
    allowed(subscription)
    used(subscription, 1500, at=MARCH_10)
    at = final(subscription)
    closed = race([lambda: billing.close(at=at)] * MANY)
    settled = race([lambda: billing.settle(at=at)] * MANY)
    assert (sum(closed.won), sum(settled.won)) == (1, 1)
    assert not closed.broken + settled.broken
    assert left(subscription.customer) == cny("896.00")
    prove()


def test_a_pack_pressed_often_is_bought_once():
    subscription = packed()
    got = race([buys(subscription, MARCH_10)] * MANY)
    assert len(got.won) == MANY
    assert {one.pk for one in got.won} == {ExtraPack.objects.get().pk}
    assert left(subscription.customer) == cny("897.00")
    prove()


def test_a_pack_is_of_one_term_though_the_next_begins():
    subscription = announced(packed())
    at = subscription.paid_until
    race([lambda: swept(at), buys(subscription, at - timedelta(seconds=1))] * 4)
    swept(at)  # what buyers held was left to a later sweep
    assert Charge.objects.filter(kind="RENEWAL").count() == 1
    for pack in ExtraPack.objects.all():
        assert pack.period_number == 1
    prove()


def test_limits_of_two_tabs_leave_what_is_owed():
    subscription = metered()
    allowed(subscription)
    used(subscription, 1300, at=MARCH_10)
    at = MARCH_10 + timedelta(days=1)
    decided = race(
        [
            lambda: stopped(subscription, at=at),
            lambda: allowed(subscription, "1.00", at=at),
            lambda: capped(subscription, "0.50", at=at),
            lambda: capped(subscription, "2.00", at=at, once=True),
            lambda: allowed(subscription, "2.00", at=at),
        ]
    )
    assert len(decided.won) == 5
    used(subscription, 1000, at=at + timedelta(days=1))
    billing.close(at=final(subscription))
    assert UsageBill.objects.get().amount == cny("3.00")
    prove()


def test_decisions_while_bills_are_written_change_none():
    subscription = announced(metered())
    allowed(subscription, "3.00")
    used(subscription, 1500, at=MARCH_10)
    swept(subscription.paid_until)
    at = final(subscription)
    done = race(
        [lambda: billing.close(at=at)] * 4
        + [lambda: allowed(subscription, at=at)] * 4
        + [lambda: capped(subscription, None, at=at)] * 4
        + [lambda: billing.settle(at=at)] * 4
    )
    assert not done.broken
    assert UsageBill.objects.get(period_number=1).amount == cny("3.00")
    prove()
