import hashlib

import pytest
from django.urls import reverse
from djmoney.money import Money

from tests.factories import open_customer
from tests.fake_gateway import Callback
from tests.wallet.callback_setting import URL, changed, everything, post, signed
from tests.wallet.topup_setting import cny, deliver, later, now, submitted
from wallet import facts, inbox, payments, queries, topups
from wallet.models import (
    Case,
    Freeze,
    GatewayCallback,
    GatewayPayment,
    JournalEntry,
    Receipt,
)

pytestmark = pytest.mark.django_db


class TestGatewayCallback:
    def test_answers_the_exact_word_and_nothing_more(self, fake_gateway):
        response = post(fake_gateway.pay(submitted().number))
        assert (response.status_code, response.content) == (200, b"success")
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert not response.cookies

    def test_needs_no_log_in_and_no_csrf_token(self, fake_gateway):
        assert post(fake_gateway.pay(submitted().number)).status_code == 200

    def test_is_for_posts_only(self, client, fake_gateway):
        assert client.get(URL).status_code == 405

    def test_knows_only_gateways_that_are_switched_on(self, fake_gateway):
        callback = fake_gateway.pay(submitted().number)
        for code in ("alipay", "nobody"):
            url = reverse("wallet:gateway-callback", args=[code])
            assert post(callback, url).status_code == 404
        assert GatewayCallback.objects.count() == 0

    def test_refuses_bodies_that_are_too_large_unread(self, fake_gateway):
        good = fake_gateway.pay(submitted().number)
        response = post(Callback(good.headers, good.body + b" " * 70_000))
        assert response.status_code == 413
        assert GatewayCallback.objects.count() == 0

    def test_says_no_while_the_message_cannot_be_acted_on(self, fake_gateway, monkeypatch):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        monkeypatch.setattr(inbox, "settle", lambda *args, **kwargs: 1 / 0)
        response = post(callback)
        assert (response.status_code, response.content) == (400, b"fail")
        assert GatewayCallback.objects.get().outcome == "RECEIVED"


class TestReceive:
    def test_keeps_the_raw_message_with_its_headers(self, fake_gateway):
        callback = fake_gateway.pay(submitted().number)
        secret = {"Authorization": "Bearer x", "Cookie": "sessionid=1"}
        deliver(Callback(callback.headers | secret, callback.body))
        kept = GatewayCallback.objects.get()

        assert bytes(kept.body) == callback.body
        assert kept.body_sha256 == hashlib.sha256(callback.body).hexdigest()
        assert kept.headers["sandbox-signature"] == callback.headers["Sandbox-Signature"]
        assert "authorization" not in kept.headers and "cookie" not in kept.headers
        assert (kept.outcome, kept.times) == ("CREDITED", 1)
        assert kept.attempt.state == "SUCCEEDED"

    def test_a_repetition_is_counted_and_changes_nothing(self, fake_gateway):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        outcomes = [deliver(callback).outcome for _ in range(5)]
        kept = GatewayCallback.objects.get()

        assert outcomes == ["CREDITED"] * 5 and kept.times == 5
        assert queries.balance(topup.customer).available == cny(100)

    def test_another_message_about_the_same_payment_is_a_repetition(self, fake_gateway):
        topup = submitted()
        fake_gateway.pay(topup.number)
        first = fake_gateway.callback(topup.number)
        deliver(first)
        second = signed(fake_gateway, changed(first, notification_id="another"))
        assert deliver(second).outcome == "REPEATED"
        assert queries.balance(topup.customer).available == cny(100)

    def test_a_failure_is_noted(self, fake_gateway):
        topup = submitted()
        assert deliver(fake_gateway.fail(topup.number)).outcome == "NOTED"
        assert topup.attempts.get().state == "FAILED"

    def test_failed_then_paid_late_is_credited(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.fail(topup.number))
        assert queries.balance(topup.customer).available == cny(0)
        deliver(fake_gateway.pay(topup.number, late=True))
        topup.refresh_from_db()
        assert topup.state == "PAID"
        assert queries.balance(topup.customer).available == cny(100)

    def test_any_order_of_news_ends_the_same(self, fake_gateway):
        for turn in ("fail first", "pay first"):
            topup = submitted()
            failed = fake_gateway.fail(topup.number)
            paid = fake_gateway.pay(topup.number, late=True)
            for callback in (failed, paid) if turn == "fail first" else (paid, failed):
                deliver(callback)
            topup.refresh_from_db()
            assert topup.state == "PAID" and topup.attempts.get().state == "SUCCEEDED"
            assert queries.balance(topup.customer).available == cny(100)

    @pytest.mark.parametrize(
        ("options", "kind"),
        [
            ({"amount_minor": 99_99}, "AMOUNT_MISMATCH"),
            ({"amount_minor": 100_01}, "AMOUNT_MISMATCH"),
            ({"currency": "USD"}, "CURRENCY_MISMATCH"),
            ({"currency": "JPY", "amount_minor": 100}, "CURRENCY_MISMATCH"),
        ],
    )
    def test_a_mismatch_is_a_case_and_still_gets_the_success_word(
        self, options, kind, fake_gateway
    ):
        topup = submitted()
        response = post(fake_gateway.pay(topup.number, **options))
        assert response.content == b"success"
        assert Case.objects.get().kind == kind
        assert GatewayCallback.objects.get().outcome == "CASE"
        assert queries.balance(topup.customer).available == cny(0)
        assert JournalEntry.objects.count() == 0

    def test_swapped_numbers_are_a_case(self, fake_gateway):
        mine, yours = submitted(open_customer()), submitted(open_customer(), "500.00")
        good = fake_gateway.pay(mine.number)
        response = post(signed(fake_gateway, changed(good, number=yours.number)))
        assert response.content == b"success"
        assert Case.objects.get().kind == "AMOUNT_MISMATCH"
        assert queries.balance(yours.customer).available == cny(0)

    def test_one_payment_claimed_for_two_topups_credits_one(self, fake_gateway):
        mine, yours = submitted(open_customer()), submitted(open_customer())
        good = fake_gateway.pay(mine.number)
        deliver(good)
        deliver(signed(fake_gateway, changed(good, number=yours.number)))
        assert Case.objects.get().kind == "CONTRADICTION"
        assert queries.balance(mine.customer).available == cny(100)
        assert queries.balance(yours.customer).available == cny(0)

    def test_an_unknown_number_is_a_case(self, fake_gateway):
        good = fake_gateway.pay(submitted().number)
        deliver(signed(fake_gateway, changed(good, number="TU20250301NEVERWAS")))
        assert Case.objects.get().kind == "UNKNOWN_NUMBER"
        assert GatewayCallback.objects.get().attempt is None

    def test_two_payments_of_one_order_credit_one_and_open_a_case(self, fake_gateway):
        topup = submitted()
        fake_gateway.pay(topup.number, payments=2)
        outcomes = [
            deliver(fake_gateway.callback(topup.number, payment=place)).outcome for place in (0, 1)
        ]
        assert outcomes == ["CREDITED", "CASE"] and Case.objects.get().kind == "SURPLUS"
        assert queries.balance(topup.customer).available == cny(100)

    def test_a_return_address_credits_nothing(self, client, fake_gateway):
        topup = submitted()
        owner = topup.customer.members.get().user
        client.force_login(owner)
        before = everything()
        url = reverse("wallet:topup-return", args=[topup.number])
        for query in ("", "?status=PAID&amount=100", f"?number={topup.number}&paid=1"):
            assert client.get(url + query).status_code == 302
            assert client.post(url + query, {"status": "PAID"}).status_code == 405
        assert everything() == before

    def test_amounts_of_other_exponents_are_exact(self, fake_gateway):
        for currency, amount, minor in (("JPY", "5000", 5000), ("KWD", "12.345", 12345)):
            customer = open_customer(currency=currency)
            topup = payments_of(customer, Money(amount, currency))
            assert fake_gateway.orders[topup.number].amount_minor == minor
            deliver(fake_gateway.pay(topup.number))
            balance = queries.balance(customer, currency)
            assert balance.available == Money(amount, currency)


def payments_of(customer, amount):
    topup = topups.start(customer=customer, amount=amount, gateway="sandbox", at=now())
    payments.submit(attempt_id=topup.attempts.get().pk, at=now())
    return topup


STEPS = [
    ("lots.grant", "credit"),
    ("receipts.issue", "receipt"),
    ("outbox.put", "errand"),
    ("_succeed", "attempt"),
    ("_record_outcome", "outcome"),
]


class TestAFailureAfterPartialWork:
    @pytest.mark.parametrize(("place", "step"), STEPS)
    def test_undoes_everything_but_the_message_and_the_sweep_finishes(
        self, place, step, fake_gateway, monkeypatch
    ):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        at = now()

        def breaks(*args, **kwargs):
            raise RuntimeError(f"broken at the {step}")

        target, _, name = place.rpartition(".")
        with monkeypatch.context() as patch:
            patch.setattr(getattr(facts, target) if target else facts, name, breaks)
            assert deliver(callback, at=at).outcome == "RECEIVED"
        kept = GatewayCallback.objects.get()
        assert step in kept.last_error and kept.attempts == 1
        assert JournalEntry.objects.count() == Receipt.objects.count() == 0
        assert GatewayPayment.objects.count() == 0

        assert inbox.process_received(at=at) == 0  # its pause is not over
        assert inbox.process_received(at=later(at, seconds=30)) == 1
        kept.refresh_from_db()
        assert (kept.outcome, kept.last_error) == ("CREDITED", "")
        assert queries.balance(topup.customer).available == cny(100)

    def test_the_gateways_next_try_finishes_too(self, fake_gateway, monkeypatch):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        with monkeypatch.context() as patch:
            patch.setattr(facts.receipts, "issue", lambda **kwargs: 1 / 0)
            assert post(callback).content == b"fail"
        assert post(callback).content == b"success"
        assert queries.balance(topup.customer).available == cny(100)


class TestProcessReceived:
    def test_gives_up_after_four_tries_and_opens_a_case(self, fake_gateway, monkeypatch):
        topup, at = submitted(), now()
        callback = fake_gateway.pay(topup.number)
        with monkeypatch.context() as patch:
            patch.setattr(facts.receipts, "issue", lambda **kwargs: 1 / 0)
            deliver(callback, at=at)
            for _ in range(12):
                at = later(at, hours=3)
                inbox.process_received(at=at)
        kept = GatewayCallback.objects.get()
        assert (kept.outcome, kept.attempts) == ("CASE", inbox.TRIES)
        case = Case.objects.get()
        assert case.kind == "UNPROCESSED" and case.callback == kept

        assert payments.process(callback_id=kept.pk, at=at) == "CREDITED"
        kept.refresh_from_db()
        assert kept.outcome == "CREDITED"
        assert queries.balance(topup.customer).available == cny(100)

    def test_tells_people_before_the_books_miss_it(self, fake_gateway, monkeypatch):
        """
        I9 is violated after 15 minutes.
        """
        at = now()
        callback = fake_gateway.pay(submitted().number)
        monkeypatch.setattr(facts.receipts, "issue", lambda **kwargs: 1 / 0)
        deliver(callback, at=at)
        for minute in range(10):
            inbox.process_received(at=later(at, minutes=minute))
        assert GatewayCallback.objects.get().outcome == "CASE"

    def test_gives_up_what_was_tried_too_often_by_hand(self, fake_gateway, monkeypatch):
        at = now()
        callback = fake_gateway.pay(submitted().number)
        monkeypatch.setattr(facts.receipts, "issue", lambda **kwargs: 1 / 0)
        kept = deliver(callback, at=at).callback
        for _ in range(inbox.TRIES + 1):
            payments.process(callback_id=kept.pk, at=at)
        assert inbox.process_received(at=at) == 0
        assert inbox.process_received(at=later(at, minutes=8)) == 1
        assert GatewayCallback.objects.get().outcome == "CASE"

    def test_pauses_double(self, fake_gateway, monkeypatch):
        topup, at = submitted(), now()
        callback = fake_gateway.pay(topup.number)
        monkeypatch.setattr(facts.receipts, "issue", lambda **kwargs: 1 / 0)
        deliver(callback, at=at)
        tried_at = []
        for second in range(0, 500, 10):
            before = GatewayCallback.objects.get().attempts
            inbox.process_received(at=later(at, seconds=second))
            if GatewayCallback.objects.get().attempts > before:
                tried_at.append(second)
        assert tried_at == [30, 90, 210]

    def test_waits_while_all_money_writes_are_stopped(self, fake_gateway):
        topup, at = submitted(), now()
        callback = fake_gateway.pay(topup.number)
        freeze = Freeze.objects.create(reason="test", at=at)
        assert post(callback).content == b"fail"
        for _ in range(20):
            at = later(at, hours=1)
            assert inbox.process_received(at=at) == 0
        assert Case.objects.count() == 0
        freeze.delete()
        assert inbox.process_received(at=at) == 1
        assert queries.balance(topup.customer).available == cny(100)

    def test_one_that_fails_does_not_keep_the_others_from_it(self, fake_gateway, monkeypatch):
        at = now()
        three = [submitted() for _ in range(3)]
        real = facts.settle
        with monkeypatch.context() as patch:
            patch.setattr(inbox, "settle", lambda *args, **kwargs: 1 / 0)
            for topup in three:
                deliver(fake_gateway.pay(topup.number), at=at)

        def breaks(fact, **kwargs):
            if fact.number == three[0].number:
                raise RuntimeError("poison")
            return real(fact, **kwargs)

        monkeypatch.setattr(inbox, "settle", breaks)
        assert inbox.process_received(at=later(at, minutes=1)) == 2
        outcomes = GatewayCallback.objects.order_by("pk").values_list("outcome", flat=True)
        assert list(outcomes) == ["RECEIVED", "CREDITED", "CREDITED"]

    def test_a_message_is_believed_as_of_when_it_came(self, fake_gateway, monkeypatch):
        topup, at = submitted(), now()
        callback = fake_gateway.pay(topup.number)
        with monkeypatch.context() as patch:
            patch.setattr(inbox, "settle", lambda *args, **kwargs: 1 / 0)
            deliver(callback, at=at)
        assert inbox.process_received(at=later(at, days=1)) == 1
        assert queries.balance(topup.customer).available == cny(100)
