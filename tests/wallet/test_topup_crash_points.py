"""
kill -9 at every place that matters, then what the world does next anyway: the gateway notifies
again, or the sweep comes by. Each time exactly one credit must be left, and books that prove.
"""

import base64
import subprocess

import pytest
from django.conf import settings

from tests import victims
from tests.wallet.topup_setting import cny, deliver, later, now, started, submitted
from wallet import books, inbox, payments, queries
from wallet.models import GatewayCallback, JournalEntry, Receipt

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fake_gateway"),
]

VICTIM = "tests.wallet.crash_victim"


def run(crash: str, act: str, **what: object) -> subprocess.CompletedProcess:
    return victims.run(VICTIM, crash, {"gateways": settings.GATEWAYS, "act": act, **what})


def dies(crash: str, act: str, **what: object) -> None:
    victims.dies(VICTIM, crash, {"gateways": settings.GATEWAYS, "act": act, **what})


def parcel(callback) -> dict[str, object]:
    return {"body": base64.b64encode(callback.body).decode(), "headers": callback.headers}


def assert_credited_once(topup) -> None:
    topup.refresh_from_db()
    assert topup.state == "PAID" and topup.attempts.get().state == "SUCCEEDED"
    assert queries.balance(topup.customer).available == cny(100)
    assert JournalEntry.objects.count() == Receipt.objects.count() == 1
    assert Receipt.objects.get().serial == 1
    violations = books.violations()
    violations.pop("I24", None)  # nothing seals during a test
    assert not any(violations.values())


RECEIVE_POINTS = [
    # crash point, whether the money was committed before the end
    ("after_callback_stored", False),
    ("in_tx_before_post", False),
    ("in_tx_after_post", False),
    ("after_commit_before_answer", True),
]


class TestReceive:
    def test_lives_when_no_point_is_armed(self, fake_gateway):
        topup = submitted()
        ended = run("nowhere", "receive", **parcel(fake_gateway.pay(topup.number)))
        assert ended.stdout.endswith("alive\n"), ended.stderr
        assert_credited_once(topup)

    @pytest.mark.parametrize(("crash", "committed"), RECEIVE_POINTS)
    def test_killed_then_notified_again(self, crash, committed, fake_gateway):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        dies(crash, "receive", **parcel(callback))
        assert GatewayCallback.objects.count() == 1
        assert JournalEntry.objects.count() == committed

        if not committed:
            dies(crash, "receive", **parcel(callback))
        assert str(deliver(callback).outcome) == "CREDITED"
        assert_credited_once(topup)

    @pytest.mark.parametrize(("crash", "committed"), RECEIVE_POINTS)
    def test_killed_then_swept(self, crash, committed, fake_gateway):
        topup = submitted()
        dies(crash, "receive", **parcel(fake_gateway.pay(topup.number)))
        assert inbox.process_received(at=later(now(), minutes=1)) == (not committed)
        assert_credited_once(topup)

    @pytest.mark.parametrize(("crash", "committed"), RECEIVE_POINTS)
    def test_killed_then_asked_by_the_janitor(self, crash, committed, fake_gateway):
        topup = submitted()
        dies(crash, "receive", **parcel(fake_gateway.pay(topup.number)))
        assert payments.resolve_open(at=later(now(), minutes=1)) == (not committed)
        assert_credited_once(topup)
        inbox.process_received(at=later(now(), minutes=1))
        assert_credited_once(topup)


class TestAsk:
    @pytest.mark.parametrize("crash", ["in_tx_before_post", "in_tx_after_post"])
    def test_killed_while_crediting_then_asked_again(self, crash, fake_gateway):
        topup = submitted()
        fake_gateway.pay(topup.number)
        dies(crash, "ask", attempt_id=topup.attempts.get().pk)
        assert JournalEntry.objects.count() == 0
        payments.resolve_open(at=later(now(), minutes=5))
        assert_credited_once(topup)


class TestSubmit:
    @pytest.mark.parametrize(
        ("crash", "orders"), [("submit_after_intent", 0), ("submit_after_call", 1)]
    )
    def test_killed_then_opened_again_under_the_same_number(self, crash, orders, fake_gateway):
        topup = started()
        attempt = topup.attempts.get()
        dies(crash, "submit", attempt_id=attempt.pk)
        attempt.refresh_from_db()
        assert attempt.state == "SUBMITTED" and len(fake_gateway.orders) == orders

        # too early: the call may still be on its way
        payments.ask(attempt_id=attempt.pk, at=later(now(), seconds=20))
        attempt.refresh_from_db()
        assert attempt.state == "SUBMITTED"

        payments.resolve_open(at=later(now(), minutes=3))
        attempt.refresh_from_db()
        assert attempt.state == "PENDING" and attempt.client_action
        assert fake_gateway.orders.keys() == {topup.number}
        deliver(fake_gateway.pay(topup.number))
        assert_credited_once(topup)
