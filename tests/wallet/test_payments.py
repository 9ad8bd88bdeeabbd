from datetime import timedelta

import pytest
from django.db import transaction
from django.test import override_settings

from tests.wallet.topup_setting import available, cny, deliver, fresh, now, started, submitted
from wallet import payments, tasks, topups
from wallet.gateways import UnknownGateway
from wallet.models import (
    Case,
    GatewayCallback,
    GatewayPayment,
    PaymentAttempt,
    TopUp,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]

LONG_AGO = timedelta(minutes=2)


class TestSubmit:
    def test_opens_the_order_and_keeps_what_the_browser_does_next(self, fake_gateway):
        topup = submitted()
        attempt = topup.attempts.get()
        order = fake_gateway.orders[topup.number]

        assert fresh(topup) == ("PENDING", "PENDING")
        assert attempt.client_action["url"].startswith(fake_gateway.url)
        assert (order.amount_minor, order.currency) == (100_00, "CNY")
        assert order.notify_url.endswith("/gateways/sandbox/callback/")
        assert order.return_url.endswith(f"/wallet/topups/{topup.number}/return/")
        assert order.expires_at == topup.expires_at

    def test_again_sends_nothing(self, fake_gateway):
        topup = submitted()
        fake_gateway.set_fault("create_refused")
        again = payments.submit(attempt_id=topup.attempts.get().pk, at=now())
        assert again.state == "PENDING"

    def test_a_definite_no_is_a_failure(self, fake_gateway):
        fake_gateway.set_fault("create_refused")
        assert fresh(submitted()) == ("CREATED", "FAILED")

    @pytest.mark.parametrize(
        "fault", ["create_5xx", "create_5xx_after_accept", "create_lost", "create_garbage"]
    )
    def test_anything_unclear_is_unknown_and_blocks_a_second_attempt(self, fault, fake_gateway):
        fake_gateway.set_fault(fault)
        topup = submitted()
        assert fresh(topup) == ("CREATED", "UNKNOWN")
        with pytest.raises(topups.AttemptOpen):
            topups.retry(topup_id=topup.pk, at=now())

    def test_a_cancelled_topup_is_not_sent(self, fake_gateway):
        topup = started()
        attempt = topup.attempts.get()
        TopUp.objects.filter(pk=topup.pk).update(state="CANCELLED")
        assert payments.submit(attempt_id=attempt.pk, at=now()).state == "CREATED"
        assert topup.number not in fake_gateway.orders

    def test_a_gateway_that_was_switched_off_is_refused_before_anything_is_written(self):
        topup = started()
        with override_settings(GATEWAYS={}), pytest.raises(UnknownGateway):
            payments.submit(attempt_id=topup.attempts.get().pk, at=now())
        assert fresh(topup) == ("CREATED", "CREATED")


@pytest.mark.django_db(transaction=True)
class TestNoCallInsideATransaction:
    def test_submit_refuses(self):
        topup = started()
        with pytest.raises(RuntimeError), transaction.atomic():
            payments.submit(attempt_id=topup.attempts.get().pk, at=now())
        assert fresh(topup) == ("CREATED", "CREATED")

    def test_ask_refuses(self):
        topup = submitted()
        with pytest.raises(RuntimeError), transaction.atomic():
            payments.ask(attempt_id=topup.attempts.get().pk, at=now())

    def test_receive_refuses(self, fake_gateway):
        callback = fake_gateway.pay(submitted().number)
        with pytest.raises(RuntimeError), transaction.atomic():
            deliver(callback)
        assert GatewayCallback.objects.count() == 0


class TestAsk:
    def test_learns_of_a_payment_nobody_told_us_about(self, fake_gateway):
        topup = submitted()
        fake_gateway.pay(topup.number)
        attempt = payments.ask(attempt_id=topup.attempts.get().pk, at=now())
        assert attempt.state == "SUCCEEDED" and available(topup) == cny(100)
        assert GatewayPayment.objects.get().learned_by == "QUERY"

    def test_of_an_unpaid_order_changes_nothing_but_the_next_turn(self):
        at = now()
        topup = submitted(at=at)
        attempt = payments.ask(attempt_id=topup.attempts.get().pk, at=at)
        assert (attempt.state, attempt.queries) == ("PENDING", 1)
        assert attempt.next_query_at == at + timedelta(seconds=20)

    def test_leaves_alone_what_was_never_sent_or_is_paid(self, fake_gateway):
        topup = started()
        assert payments.ask(attempt_id=topup.attempts.get().pk, at=now()).state == "CREATED"
        payments.submit(attempt_id=topup.attempts.get().pk, at=now())
        deliver(fake_gateway.pay(topup.number))
        assert payments.ask(attempt_id=topup.attempts.get().pk, at=now()).queries == 0

    @pytest.mark.parametrize("fault", ["query_5xx", "query_lost", "query_forged", "query_refused"])
    def test_an_answer_that_cannot_be_believed_changes_nothing(self, fault, fake_gateway):
        topup = submitted()
        fake_gateway.pay(topup.number)
        fake_gateway.set_fault(fault, times=1)
        attempt = payments.ask(attempt_id=topup.attempts.get().pk, at=now())
        assert attempt.state == "PENDING" and available(topup) == cny(0)

    def test_an_attempt_given_up_may_turn_out_paid(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.fail(topup.number))
        fake_gateway.pay(topup.number, late=True)
        assert payments.ask(attempt_id=topup.attempts.get().pk, at=now()).state == "SUCCEEDED"
        assert available(topup) == cny(100)

    def test_an_expired_order_is_closed_at_the_gateway(self, fake_gateway):
        at = now()
        topup = submitted(at=at)
        topups.expire_due(at=at + timedelta(hours=1))
        attempt = payments.ask(attempt_id=topup.attempts.get().pk, at=at + timedelta(hours=1))
        assert attempt.state == "CLOSED" and attempt.next_query_at is None
        assert fake_gateway.orders[topup.number].status == "CLOSED"

    def test_an_order_that_never_arrived_is_sent_again_under_the_same_number(self, fake_gateway):
        fake_gateway.set_fault("create_lost", times=1)
        topup = submitted(at=now() - LONG_AGO)
        assert fresh(topup) == ("CREATED", "UNKNOWN")
        payments.ask(attempt_id=topup.attempts.get().pk, at=now())
        assert fresh(topup) == ("PENDING", "PENDING")
        assert fake_gateway.orders.keys() == {topup.number}
        assert topup.attempts.get().client_action

    def test_a_cashier_page_that_was_lost_is_fetched_again(self, fake_gateway):
        fake_gateway.set_fault("create_5xx_after_accept", times=1)
        topup = submitted(at=now() - LONG_AGO)
        payments.ask(attempt_id=topup.attempts.get().pk, at=now())
        assert fresh(topup) == ("PENDING", "PENDING")
        assert topup.attempts.get().client_action["url"].startswith(fake_gateway.url)

    def test_a_call_that_may_still_be_on_its_way_is_not_repeated(self, fake_gateway):
        topup, at = started(), now()
        topup.attempts.update(state="SUBMITTED", submitted_at=at)
        payments.ask(attempt_id=topup.attempts.get().pk, at=at + timedelta(seconds=10))
        assert fresh(topup) == ("CREATED", "SUBMITTED")
        assert not fake_gateway.orders

    def test_a_customer_whose_order_never_arrived_in_time_may_start_anew(self):
        at = now()
        topup = started(at=at)
        topup.attempts.update(state="SUBMITTED", submitted_at=at)
        topups.expire_due(at=at + timedelta(hours=1))
        payments.ask(attempt_id=topup.attempts.get().pk, at=at + timedelta(hours=1))
        assert fresh(topup) == ("EXPIRED", "FAILED")


class TestResolveOpen:
    def test_asks_only_what_is_due(self, fake_gateway):
        at = now()
        topup = submitted(at=at)
        fake_gateway.pay(topup.number)
        assert payments.resolve_open(at=at) == 0
        assert payments.resolve_open(at=at + timedelta(seconds=10)) == 1
        assert fresh(topup) == ("PAID", "SUCCEEDED")
        assert payments.resolve_open(at=at + timedelta(hours=1)) == 0

    def test_waits_longer_each_time_up_to_an_hour(self, fake_gateway):
        at = now()
        topup = submitted(at=at)
        fake_gateway.set_fault("query_5xx")
        pauses = []
        for _ in range(12):
            attempt = topup.attempts.get()
            pauses.append((attempt.next_query_at - at).total_seconds())
            at = attempt.next_query_at
            payments.resolve_open(at=at)
        assert pauses[:4] == [10, 20, 40, 80]
        assert max(pauses) == pauses[-1] == 3600

    def test_puts_a_day_of_silence_before_people(self, fake_gateway):
        at = now()
        topup = submitted(at=at)
        fake_gateway.set_fault("query_5xx")
        fake_gateway.set_fault("close_5xx")
        payments.resolve_open(at=at + timedelta(hours=23))
        assert Case.objects.count() == 0
        payments.resolve_open(at=at + timedelta(hours=25))
        assert Case.objects.get().kind == "UNRESOLVED"
        assert topup.attempts.get().next_query_at is None
        fake_gateway.clear_faults()
        fake_gateway.pay(topup.number)
        payments.ask(attempt_id=topup.attempts.get().pk, at=at + timedelta(hours=26))
        assert fresh(topup) == ("PAID", "SUCCEEDED")

    def test_a_sending_nobody_heard_of_again_becomes_unknown(self, fake_gateway):
        topup, at = started(), now()
        topup.attempts.update(
            state="SUBMITTED", submitted_at=at, next_query_at=at + timedelta(seconds=60)
        )
        fake_gateway.set_fault("query_5xx")
        payments.resolve_open(at=at + timedelta(seconds=60))
        assert fresh(topup) == ("CREATED", "UNKNOWN")

    def test_asks_no_more_once_people_have_the_payment(self, fake_gateway):
        at = now()
        topup = submitted(at=at)
        deliver(fake_gateway.pay(topup.number, amount_minor=1))
        topups.expire_due(at=at + timedelta(hours=1))
        payments.resolve_open(at=at + timedelta(hours=1))
        assert payments.resolve_open(at=at + timedelta(hours=30)) == 0
        assert Case.objects.count() == 1

    def test_one_that_cannot_be_resolved_does_not_keep_the_others_from_it(
        self, fake_gateway, monkeypatch
    ):
        at = now()
        first, second = submitted(at=at), submitted(at=at)
        for topup in (first, second):
            fake_gateway.pay(topup.number)
        real = payments.settle

        def breaks(fact, **kwargs):
            if fact.number == first.number:
                raise RuntimeError("broken")
            return real(fact, **kwargs)

        monkeypatch.setattr(payments, "settle", breaks)
        payments.resolve_open(at=at + timedelta(seconds=10))
        assert fresh(first) == ("PENDING", "PENDING") and fresh(second) == ("PAID", "SUCCEEDED")

    def test_an_attempt_paid_by_another_is_closed_at_the_gateway(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.fail(topup.number))
        second = topups.retry(topup_id=topup.pk, at=now())
        payments.submit(attempt_id=second.pk, at=now())
        deliver(fake_gateway.pay(topup.number, late=True))
        payments.resolve_open(at=now())
        assert PaymentAttempt.objects.get(pk=second.pk).state == "CLOSED"
        assert fake_gateway.orders[second.number].status == "CLOSED"


class TestTasks:
    def test_the_sweeps_bring_a_lost_payment_in(self, fake_gateway):
        topup = submitted(at=now() - timedelta(hours=1))
        fake_gateway.pay(topup.number, late=True)
        tasks.expire_topups()
        assert fresh(topup) == ("EXPIRED", "PENDING")
        tasks.resolve_open_attempts()
        assert fresh(topup) == ("PAID", "SUCCEEDED") and available(topup) == cny(100)
