"""
The database or Redis go away in the middle of a sweep: nothing is half done, and the next sweep
renews each subscription exactly once. (Killed processes: test_renewal_crash_points.)
"""

import threading
from collections.abc import Callable

import pytest
from celery import current_app
from django.db import Error as DatabaseError
from django.db import connection, connections

from crm_billing import crash, outbox
from packages import billing, renewals
from packages.models import Charge, UsageBill
from packages.renewals import RenewalReport
from tests.factories import cny, funded_customer
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, swept, told
from tests.packages.using import MARCH_10, allowed, final, metered, used
from tests.wallet.racing import prove

pytestmark = pytest.mark.django_db(transaction=True)

APRIL = shanghai(2025, 4, 1)
FIVE = 5


@pytest.fixture
def begun():
    """
    Five subscriptions of 99.00 a month that are due in April, announced.
    """
    version = on_sale()
    found = [bought(funded_customer("200.00"), version) for _ in range(FIVE)]
    told(APRIL - 6 * DAY)
    return found


@pytest.fixture
def at_point(monkeypatch) -> Callable[[str, Callable[[], None]], None]:
    """
    Do something the first time a place is reached.
    """

    def arm(name: str, act: Callable[[], None]) -> None:
        waiting = [act]

        def point(reached: str) -> None:
            if reached == name and waiting:
                waiting.pop()()

        monkeypatch.setattr(crash, "point", point)

    return arm


def cut_off() -> None:
    """
    End this connection's server process from another one, as a restart of PostgreSQL does.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()

    def kill() -> None:
        with connections["default"].cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        connections.close_all()

    thread = threading.Thread(target=kill)
    thread.start()
    thread.join()


def reconnect() -> None:
    connection.close()


def is_renewed_once(begun) -> None:
    assert Charge.objects.filter(kind="RENEWAL").count() == FIVE
    assert {left(one.customer) for one in begun} == {cny("2.00")}
    prove()


def test_a_sweep_whose_chunk_was_cut_off_goes_on_one_by_one(begun, at_point):
    at_point("renewals_after_post", cut_off)
    assert swept(APRIL) == RenewalReport(ok=FIVE)
    is_renewed_once(begun)


def test_a_connection_cut_before_commit_leaves_nothing(begun, at_point):
    at_point("renewals_before_commit", cut_off)
    with pytest.raises(DatabaseError):
        swept(APRIL)
    reconnect()
    assert not Charge.objects.filter(kind="RENEWAL").exists()
    assert swept(APRIL) == RenewalReport(ok=FIVE)
    is_renewed_once(begun)


def test_a_connection_cut_after_commit_is_no_second_charge(begun, at_point):
    at_point("renewals_after_chunk", cut_off)
    with pytest.raises(DatabaseError):
        swept(APRIL)
    reconnect()
    assert swept(APRIL) == RenewalReport()
    is_renewed_once(begun)


def test_a_worker_that_sleeps_in_its_transaction_is_overtaken_by_nobody(begun, at_point):
    reached, awake, reports = threading.Event(), threading.Event(), []

    def sleep() -> None:
        reached.set()
        assert awake.wait(30)

    def sweep() -> None:
        reports.append(swept(APRIL))
        connections.close_all()

    at_point("renewals_after_post", sleep)
    zombie = threading.Thread(target=sweep)
    zombie.start()
    assert reached.wait(30)
    assert swept(APRIL) == RenewalReport()  # delivered again while the first still holds its rows
    awake.set()
    zombie.join(30)
    assert reports == [RenewalReport(ok=FIVE)]
    is_renewed_once(begun)


def test_redis_that_is_down_keeps_no_renewal_and_no_errand(begun, monkeypatch):
    monkeypatch.setattr(current_app, "send_task", _refused)  # as when nobody listens
    assert renewals.run(at=APRIL).ok == FIVE
    assert outbox.pending().filter(topic="renewal.done").count() == FIVE
    is_renewed_once(begun)


def _refused(*args: object, **more: object) -> None:
    raise ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused.")


def test_a_connection_cut_while_use_is_charged_leaves_the_bill_open(at_point):
    subscription = metered()
    allowed(subscription)
    used(subscription, 1500, at=MARCH_10)
    at = final(subscription)
    billing.close(at=at)
    at_point("charge_after_post", cut_off)
    with pytest.raises(DatabaseError):
        billing.settle(at=at)
    reconnect()
    assert UsageBill.objects.unpaid().count() == 1
    assert left(subscription.customer) == cny("901.00")
    assert (billing.settle(at=at), billing.settle(at=at)) == (1, 0)
    assert left(subscription.customer) == cny("896.00")
    prove()
