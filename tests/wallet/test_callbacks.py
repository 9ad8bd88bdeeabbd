import base64
import hashlib
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.test import Client
from django.urls import reverse
from djmoney.money import Money

from tests.factories import open_customer
from tests.fake_gateway import MERCHANT_ID, Callback
from tests.wallet.topup_setting import cny, deliver, later, now, submitted
from wallet import facts, inbox, payments, queries, topups
from wallet.gateways.sandbox import keys
from wallet.models import (
    Case,
    Freeze,
    GatewayCallback,
    GatewayPayment,
    JournalEntry,
    LedgerAccount,
    PaymentAttempt,
    Receipt,
    TopUp,
)

pytestmark = pytest.mark.django_db

URL = "/gateways/sandbox/callback/"


def post(callback: Callback, url: str = URL):
    """
    Post as a gateway does: another client, no cookie, CSRF checks on.
    """
    client = Client(enforce_csrf_checks=True)
    return client.post(
        url, callback.body, content_type="application/json", headers=callback.headers
    )


def everything() -> dict[str, object]:
    """
    Return what a refused callback must leave as it was.
    """
    models = (GatewayCallback, GatewayPayment, Case, JournalEntry, Receipt)
    return {
        **{model.__name__: model.objects.count() for model in models},
        "balances": list(
            LedgerAccount.objects.order_by("pk").values_list("pk", "balance_minor", "version")
        ),
        "states": list(TopUp.objects.order_by("pk").values_list("pk", "state")),
        "attempts": list(PaymentAttempt.objects.order_by("pk").values_list("pk", "state")),
    }


def signed(fake, body: bytes, *, key=None, merchant=MERCHANT_ID, serial=None, at=None, nonce=None):
    """
    Sign a body as the gateway would, except for what is given.
    """
    own = keys.private_key(str(fake.keys.gateway_private))
    key = key or own
    stamp, nonce = str(at or int(time.time())), nonce or "0123456789abcdef0123456789abcdef"
    message = f"CALLBACK\n{merchant}\n{stamp}\n{nonce}\n".encode() + body
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return Callback(
        {
            "Sandbox-Merchant": merchant,
            "Sandbox-Serial": serial or keys.serial(own.public_key()),
            "Sandbox-Timestamp": stamp,
            "Sandbox-Nonce": nonce,
            "Sandbox-Signature": base64.b64encode(signature).decode(),
        },
        body,
    )


def changed(callback: Callback, **fields: object) -> bytes:
    return json.dumps(json.loads(callback.body) | fields).encode()


def without(callback: Callback, header: str) -> Callback:
    kept = {name: value for name, value in callback.headers.items() if name != header}
    return Callback(kept, callback.body)


def with_header(callback: Callback, header: str, value: str) -> Callback:
    return Callback(callback.headers | {header: value}, callback.body)


STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)

FORGED = {
    "no signature": lambda fake, good: without(good, "Sandbox-Signature"),
    "no timestamp": lambda fake, good: without(good, "Sandbox-Timestamp"),
    "no nonce": lambda fake, good: without(good, "Sandbox-Nonce"),
    "no serial": lambda fake, good: without(good, "Sandbox-Serial"),
    "no merchant": lambda fake, good: without(good, "Sandbox-Merchant"),
    "no headers at all": lambda fake, good: Callback({}, good.body),
    "empty signature": lambda fake, good: with_header(good, "Sandbox-Signature", ""),
    "garbage signature": lambda fake, good: with_header(good, "Sandbox-Signature", "%%%"),
    "short signature": lambda fake, good: with_header(good, "Sandbox-Signature", "QUJD"),
    "a stranger's key": lambda fake, good: signed(fake, good.body, key=STRANGER),
    "a stranger's key and serial": lambda fake, good: signed(
        fake, good.body, key=STRANGER, serial=keys.serial(STRANGER.public_key())
    ),
    "our own key": lambda fake, good: signed(
        fake, good.body, key=keys.private_key(str(fake.keys.merchant_private))
    ),
    "another amount under the old signature": lambda fake, good: Callback(
        good.headers, changed(good, amount_minor=999_999)
    ),
    "another number under the old signature": lambda fake, good: Callback(
        good.headers, good.body.replace(b"TU", b"TV")
    ),
    "the same JSON written otherwise": lambda fake, good: Callback(
        good.headers, json.dumps(json.loads(good.body), indent=1).encode()
    ),
    "one blank more": lambda fake, good: Callback(good.headers, good.body + b" "),
    "six minutes old": lambda fake, good: signed(fake, good.body, at=int(time.time()) - 360),
    "six minutes ahead": lambda fake, good: signed(fake, good.body, at=int(time.time()) + 360),
    "a new timestamp under the old signature": lambda fake, good: with_header(
        good, "Sandbox-Timestamp", str(int(time.time()) + 1)
    ),
    "for another merchant": lambda fake, good: signed(fake, good.body, merchant="SOMEBODY"),
    "about another merchant": lambda fake, good: signed(
        fake, changed(good, merchant_id="SOMEBODY")
    ),
    "no JSON": lambda fake, good: signed(fake, b"status=PAID"),
    "an empty body": lambda fake, good: signed(fake, b""),
    "a list": lambda fake, good: signed(fake, b"[]"),
    "deep nesting": lambda fake, good: signed(fake, b"[" * 20_000),
    "an unknown status": lambda fake, good: signed(fake, changed(good, status="GIFT")),
    "a fraction of a fen": lambda fake, good: signed(fake, changed(good, amount_minor=100.5)),
    "a negative amount": lambda fake, good: signed(fake, changed(good, amount_minor=-100)),
    "an amount as text": lambda fake, good: signed(fake, changed(good, amount_minor="10000")),
    "true for an amount": lambda fake, good: signed(fake, changed(good, amount_minor=True)),
    "no amount": lambda fake, good: signed(fake, changed(good, amount_minor=None)),
    "no gateway's number": lambda fake, good: signed(fake, changed(good, external_id="")),
    "a time without a zone": lambda fake, good: signed(
        fake, changed(good, paid_at="2026-01-01T00:00:00")
    ),
}


class TestForged:
    @pytest.mark.parametrize("name", FORGED)
    def test_is_refused_and_leaves_no_trace(self, name, fake_gateway):
        topup = submitted()
        good = fake_gateway.pay(topup.number)
        before = everything()
        response = post(FORGED[name](fake_gateway, good))

        assert response.status_code == 400 and response.content == b"fail"
        assert everything() == before

    def test_the_good_one_is_taken_after_all_of_them(self, fake_gateway):
        topup = submitted()
        good = fake_gateway.pay(topup.number)
        for forge in FORGED.values():
            post(forge(fake_gateway, good))
        assert post(good).content == b"success"
        assert queries.balance(topup.customer).available == cny(100)


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
