"""
Many at once: real threads on real connections, and each time a control run in which the lock is
taken away, to see that there is a race to win and that the database still lets nobody win twice.
"""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection
from django.test import override_settings

from accounts import customers
from accounts.models import Customer
from crm_billing.errors import DomainError
from tests.factories import open_customer
from tests.wallet.topup_setting import cny, deliver, later, now, started, submitted
from wallet import books, facts, payments, queries, topups
from wallet.models import (
    Case,
    GatewayCallback,
    GatewayPayment,
    JournalEntry,
    PaymentAttempt,
    Receipt,
    TopUp,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fake_gateway"),
]


def at_once(count: int, act: Callable[[int], object]) -> Counter:
    """
    Let `count` threads do the same thing at the same moment; return how it ended for them.
    """
    barrier = threading.Barrier(count)

    def one(place: int) -> object:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30s'")
        barrier.wait()
        try:
            return act(place)
        except (DomainError, DatabaseError) as error:
            return getattr(error, "code", None) or type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


@contextmanager
def no_lock(monkeypatch):
    """
    Take the customer's lock out of every command: they read the row and go on.
    """
    with monkeypatch.context() as patch:
        patch.setattr(customers, "lock", lambda pk: Customer.objects.get(pk=pk))
        yield


def proved() -> bool:
    violations = books.violations()
    violations.pop("I24", None)  # nothing seals during a test
    return not any(violations.values())


class TestSixtyCopiesOfOneNotification:
    def test_credit_once(self, fake_gateway):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        outcomes = at_once(60, lambda place: str(deliver(callback).outcome))

        assert outcomes["CREDITED"] >= 1 and set(outcomes) <= {"CREDITED", "REPEATED"}
        assert GatewayCallback.objects.get().times == 60
        assert GatewayCallback.objects.get().outcome == "CREDITED"
        assert queries.balance(topup.customer).available == cny(100)
        assert JournalEntry.objects.count() == Receipt.objects.count() == 1
        assert Case.objects.count() == 0 and proved()

    def test_race_each_other_without_the_locks_and_still_credit_once(
        self, fake_gateway, monkeypatch
    ):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        [fact] = fake_gateway.gateway.parse_callback(
            body=callback.body, headers=callback.headers, at=now()
        )
        inside, most = [], []
        real = facts.lots.grant

        def watched(**kwargs):
            inside.append(1)
            most.append(len(inside))
            try:
                return real(**kwargs)
            finally:
                inside.pop()

        def unlocked(number):
            return (
                PaymentAttempt.objects.select_related("topup__customer")
                .filter(number=number)
                .first()
            )

        def racing(place):
            # a number of its own each, as if the payment's uniqueness did not stop them earlier
            mine = fact.__class__(**{**slots(fact), "external_id": f"SB{place:08d}"})
            return str(facts.settle(mine, at=now(), learned_by="CALLBACK").outcome)

        def slots(one):
            return {name: getattr(one, name) for name in one.__slots__}

        with monkeypatch.context() as patch:
            patch.setattr(facts, "_lock", unlocked)
            patch.setattr(facts.lots, "grant", watched)
            outcomes = at_once(40, racing)

        assert max(most) > 1, "no two were ever in the same place: the control shows no race"
        assert outcomes["CREDITED"] == 1
        assert GatewayPayment.objects.filter(entry__isnull=False).count() == 1
        assert queries.balance(topup.customer).available == cny(100)
        assert proved()

    def test_arrive_over_http_too(self, live_server, fake_gateway):
        with override_settings(SITE_URL=live_server.url):
            topup = submitted()
            fake_gateway.pay(topup.number, notify=60)
            deadline = threading.Event()
            for _ in range(150):
                kept = GatewayCallback.objects.filter(attempt__topup=topup).first()
                if kept and kept.times >= 60:
                    break
                deadline.wait(0.2)
        assert GatewayCallback.objects.get().times >= 60
        assert queries.balance(topup.customer).available == cny(100) and proved()


class TestOneRequestFortyTimes:
    def start(self, customer):
        return lambda place: started(customer, "100.00", request_key="k" * 20).number

    def test_is_one_topup(self):
        customer = open_customer()
        numbers = at_once(40, self.start(customer))
        assert len(numbers) == 1 and TopUp.objects.count() == 1
        assert PaymentAttempt.objects.count() == 1

    def test_without_the_lock_some_collide_but_it_stays_one(self, monkeypatch):
        customer = open_customer()
        with no_lock(monkeypatch):
            ends = at_once(40, self.start(customer))
        assert ends["IntegrityError"] > 0, "nobody collided: the control shows no race"
        assert TopUp.objects.count() == PaymentAttempt.objects.count() == 1


class TestFortyRequestsForTenPlaces:
    def start(self, customer):
        def act(place):
            started(customer, "1.00")
            return "started"

        return act

    def test_ten_get_one_and_the_others_are_told_why(self):
        customer = open_customer()
        ends = at_once(40, self.start(customer))
        assert ends == {"started": 10, "too_many_open_topups": 30}

    def test_without_the_lock_the_database_refuses_what_slips_through(self, monkeypatch):
        customer = open_customer()
        with no_lock(monkeypatch):
            ends = at_once(40, self.start(customer))
        assert ends["IntegrityError"] > 0, "nobody slipped through: the control shows no race"
        assert TopUp.objects.count() == ends["started"] <= 10


class TestTheLastRoomInTheWallet:
    def test_is_given_once(self):
        customer = open_customer()
        for _ in range(3):
            started(customer, "50000.00")

        def act(place):
            started(customer, "30000.00")
            return "started"

        assert at_once(40, act) == {"started": 1, "above_max_balance": 39}


class TestCallbackAndJanitorAtOnce:
    def test_credit_once(self, fake_gateway):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        attempt_id = topup.attempts.get().pk
        soon = later(now(), seconds=15)

        def act(place):
            if place % 3 == 0:
                return str(deliver(callback).outcome)
            if place % 3 == 1:
                payments.resolve_open(at=soon)
                return "swept"
            payments.ask(attempt_id=attempt_id, at=soon)
            return "asked"

        ends = at_once(42, act)
        topup.refresh_from_db()
        assert set(ends) <= {"CREDITED", "REPEATED", "swept", "asked"}
        assert topup.state == "PAID" and Receipt.objects.count() == 1
        assert queries.balance(topup.customer).available == cny(100) and proved()

    def test_with_expiry_and_cancellation_between_them_money_is_never_lost(self, fake_gateway):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        in_an_hour = later(now(), hours=1)

        def act(place):
            match place % 4:
                case 0:
                    return str(deliver(callback).outcome)
                case 1:
                    topups.expire_due(at=in_an_hour)
                    return "expired"
                case 2:
                    return topups.cancel(topup_id=topup.pk, at=now()).state
                case _:
                    payments.resolve_open(at=in_an_hour)
                    return "swept"

        at_once(40, act)
        topup.refresh_from_db()
        assert topup.state == "PAID"
        assert queries.balance(topup.customer).available == cny(100) and proved()


class TestFortySubmissions:
    def test_open_one_order(self, fake_gateway):
        attempt = started().attempts.get()
        at_once(40, lambda place: payments.submit(attempt_id=attempt.pk, at=now()).state)
        attempt.refresh_from_db()
        assert attempt.state == "PENDING" and len(fake_gateway.orders) == 1


class TestManyPayersAtOnce:
    def test_get_receipts_without_gap_or_double(self, fake_gateway):
        callbacks = [fake_gateway.pay(submitted(open_customer()).number) for _ in range(40)]
        ends = at_once(40, lambda place: str(deliver(callbacks[place]).outcome))
        serials = sorted(Receipt.objects.values_list("serial", flat=True))
        assert ends == {"CREDITED": 40}
        assert serials == list(range(1, 41)) and proved()
