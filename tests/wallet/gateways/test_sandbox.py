import csv
import io
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from djmoney.money import Money

from tests.wallet.gateways.conftest import NUMBER, eventually, http, now, order, refund
from wallet.gateways.base import (
    ActionKind,
    BadCallback,
    BadReason,
    BillKind,
    ClientAction,
    Gateway,
    GatewayRefused,
    GatewayUnknown,
    PaymentStatus,
    RefundStatus,
)
from wallet.gateways.fake.exchange import Answer
from wallet.gateways.fake.state import BEIJING, Fault, Order
from wallet.gateways.sandbox import keys
from wallet.gateways.sandbox.gateway import SandboxGateway

REAL = Money("100.00", "CNY")


def status(gateway, **terms):
    return gateway.query(order(**terms), at=now()).status


class TestRoundTrip:
    def test_goes_from_creation_over_the_cashier_and_a_callback_to_a_query(
        self, fake_gateway, merchant
    ):
        gateway = fake_gateway.gateway
        wanted = order(notify_url=merchant.url)
        action = gateway.create(wanted, at=now())
        assert action.kind is ActionKind.REDIRECT
        assert status(gateway) is PaymentStatus.PENDING

        page = http.get(action.url)
        assert page.status_code == 200 and "¥100.00" in page.text and NUMBER in page.text
        paid = http.post(action.url, data={"do": "pay"})
        assert paid.status_code == 303
        assert paid.headers["Location"] == f"{wanted.return_url}&number={NUMBER}"

        headers, body = eventually(lambda: merchant.received)[0]
        [fact] = gateway.parse_callback(body=body, headers=headers, at=now())
        assert (fact.gateway, fact.merchant_id, fact.number) == ("sandbox", "CRMPORTAL", NUMBER)
        assert (fact.status, fact.amount) == (PaymentStatus.PAID, REAL)
        assert fact.raw == json.loads(body)

        asked = gateway.query(wanted, at=now())
        assert (asked.external_id, asked.amount, asked.paid_at) == (
            fact.external_id,
            fact.amount,
            fact.paid_at,
        )

    def test_satisfies_the_protocol(self, fake_gateway):
        assert isinstance(fake_gateway.gateway, Gateway)

    @pytest.mark.parametrize(
        "amount", [Money("0.01", "CNY"), Money("1000", "JPY"), Money("1.234", "KWD")]
    )
    def test_keeps_every_decimal_place_of_every_currency(self, fake_gateway, amount):
        fake_gateway.gateway.create(order(amount=amount), at=now())
        callback = fake_gateway.pay(NUMBER)
        [fact] = fake_gateway.gateway.parse_callback(
            body=callback.body, headers=callback.headers, at=now()
        )
        assert fact.amount == amount

    def test_has_an_exact_word_for_success(self, fake_gateway):
        assert fake_gateway.gateway.acknowledgement(ok=True) == (
            200,
            "text/plain; charset=utf-8",
            b"success",
        )
        assert fake_gateway.gateway.acknowledgement(ok=False)[0] == 400


class TestCreate:
    def test_returns_the_same_cashier_for_the_same_order(self, fake_gateway):
        first, second = (fake_gateway.gateway.create(order(), at=now()) for _ in range(2))
        assert first == second
        assert len(fake_gateway.orders) == 1

    def test_is_refused_for_the_same_number_with_another_amount(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        with pytest.raises(GatewayRefused) as refusal:
            fake_gateway.gateway.create(order(amount=Money("1.00", "CNY")), at=now())
        assert refusal.value.code == "ORDER_MISMATCH"

    def test_stores_its_action_as_json(self, fake_gateway):
        action = fake_gateway.gateway.create(order(), at=now())
        assert ClientAction.from_json(json.loads(json.dumps(action.as_json()))) == action

    @pytest.mark.parametrize("number", ["", "short", "tu20261122abcdefgh", "TU/../../X", "A" * 33])
    def test_sends_no_number_outside_the_grammar(self, fake_gateway, number):
        with pytest.raises(ValueError, match="capital letters"):
            fake_gateway.gateway.create(order(number=number), at=now())

    def test_is_refused_when_the_gateway_does_not_know_our_key(self, fake_gateway, tmp_path):
        stranger = keys.ensure(tmp_path / "keys")
        gateway = SandboxGateway(
            **fake_gateway.options | {"private_key": str(stranger.merchant_private)}
        )
        with pytest.raises(GatewayRefused, match="MERCHANT_UNKNOWN"):
            gateway.create(order(), at=now())
        assert not fake_gateway.orders


class TestOutcomes:
    """A definite no is GatewayRefused; everything that is no clear answer is GatewayUnknown."""

    @pytest.mark.parametrize(
        ("fault", "accepted"),
        [
            ("create_5xx", False),
            ("create_lost", False),
            ("create_5xx_after_accept", True),
            ("create_timeout", True),
            ("create_garbage", True),
            ("create_forged", True),
        ],
    )
    def test_an_unclear_answer_leaves_the_outcome_unknown(self, fake_gateway, fault, accepted):
        fake_gateway.set_fault(fault, times=1)
        gateway = fake_gateway.impatient if "timeout" in fault else fake_gateway.gateway
        with pytest.raises(GatewayUnknown):
            gateway.create(order(), at=now())
        found = status(fake_gateway.gateway)
        assert found is (PaymentStatus.PENDING if accepted else PaymentStatus.NOT_FOUND)

    @pytest.mark.parametrize("operation", ["query", "close", "refund", "query_refund", "bill"])
    @pytest.mark.parametrize("effect", ["5xx", "timeout", "garbage", "forged", "lost"])
    def test_every_operation_may_end_unknown(self, fake_gateway, operation, effect):
        gateway = fake_gateway.gateway
        gateway.create(order(), at=now())
        fake_gateway.pay(NUMBER)
        gateway.refund(refund(), at=now())
        fake_gateway.set_fault(f"{operation}_{effect}", times=1)
        client = fake_gateway.impatient if effect == "timeout" else gateway
        call = {
            "query": lambda: client.query(order(), at=now()),
            "close": lambda: client.close(order(), at=now()),
            "refund": lambda: client.refund(refund(), at=now()),
            "query_refund": lambda: client.query_refund(refund(), at=now()),
            "bill": lambda: client.fetch_bill(BillKind.TRADE, now().date(), at=now()),
        }[operation]
        with pytest.raises(GatewayUnknown):
            call()
        call()

    def test_a_slow_answer_within_the_timeout_is_an_answer(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        fake_gateway.set_fault("query_slow", seconds=0.2)
        assert status(fake_gateway.gateway) is PaymentStatus.PENDING

    def test_a_refusal_is_definite(self, fake_gateway):
        fake_gateway.set_fault("create_refused")
        with pytest.raises(GatewayRefused) as refusal:
            fake_gateway.gateway.create(order(), at=now())
        assert (refusal.value.code, bool(refusal.value.message)) == ("REFUSED_ON_REQUEST", True)
        assert status(fake_gateway.gateway) is PaymentStatus.NOT_FOUND

    def test_a_gateway_that_is_down_leaves_the_outcome_unknown(self, fake_gateway):
        fake_gateway.fake.stop()
        with pytest.raises(GatewayUnknown):
            fake_gateway.gateway.create(order(), at=now())

    def test_an_answer_to_another_request_is_not_believed(self, fake_gateway, monkeypatch):
        """A recorded answer of the right gateway, played back to a later question."""
        gateway = fake_gateway.gateway
        gateway.create(order(), at=now())
        exchange = gateway._exchange
        recorded = []
        monkeypatch.setattr(
            gateway, "_exchange", lambda *a, **k: recorded.append(exchange(*a, **k)) or recorded[0]
        )
        assert status(gateway) is PaymentStatus.PENDING
        fake_gateway.pay(NUMBER)
        with pytest.raises(GatewayUnknown, match="signature"):
            status(gateway)

    @pytest.mark.parametrize("said", [500, 503, 429, 408, 425, 301, 399])
    def test_a_signed_status_that_is_no_clear_answer_is_none(self, fake_gateway, monkeypatch, said):
        wire = fake_gateway.fake.wires["sandbox"]
        body = b'{"code": "BUSY", "message": "try again"}'
        monkeypatch.setattr(wire, "_query", lambda number: Answer(status=said, body=body))
        with pytest.raises(GatewayUnknown, match=str(said)):
            status(fake_gateway.gateway)

    def test_an_answer_about_another_order_is_not_believed(self, fake_gateway, monkeypatch):
        gateway = fake_gateway.gateway
        gateway.create(order(), at=now())
        gateway.create(order("TU20261122ANOTHER1"), at=now())
        fake_gateway.pay("TU20261122ANOTHER1")
        wire = fake_gateway.fake.wires["sandbox"]
        query = wire._query
        monkeypatch.setattr(wire, "_query", lambda number: query("TU20261122ANOTHER1"))
        with pytest.raises(GatewayUnknown, match="another number"):
            status(gateway)

    def test_a_redirect_is_not_followed(self, fake_gateway, monkeypatch):
        wire = fake_gateway.fake.wires["sandbox"]
        gateway = fake_gateway.gateway
        gateway.create(order(), at=now())
        asked = []

        def redirect(number):
            asked.append(number)
            there = f"{fake_gateway.url}/sandbox/v1/orders/{number}"
            return Answer(status=307, headers={"Location": there}, body=b"{}")

        monkeypatch.setattr(wire, "_query", redirect)
        with pytest.raises(GatewayUnknown, match="307"):
            status(gateway)
        assert asked == [NUMBER]

    def test_an_endless_answer_is_cut_off(self, fake_gateway, monkeypatch):
        wire = fake_gateway.fake.wires["sandbox"]
        monkeypatch.setattr(wire, "_query", lambda number: Answer(body=b" " * 2_000_000))
        with pytest.raises(GatewayUnknown, match="too large"):
            status(fake_gateway.gateway)


class TestParseCallback:
    @pytest.fixture
    def genuine(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        return fake_gateway.pay(NUMBER)

    def refuse(self, fake_gateway, *, body, headers, at=None):
        with pytest.raises(BadCallback) as refusal:
            fake_gateway.gateway.parse_callback(body=body, headers=headers, at=at or now())
        return refusal.value.reason

    def test_believes_a_genuine_one_whatever_the_case_of_its_headers(self, fake_gateway, genuine):
        for headers in (
            genuine.headers,
            {name.upper(): value for name, value in genuine.headers.items()},
        ):
            [fact] = fake_gateway.gateway.parse_callback(
                body=genuine.body, headers=headers, at=now()
            )
            assert fact.amount == REAL

    @pytest.mark.parametrize("name", ["Merchant", "Serial", "Timestamp", "Nonce", "Signature"])
    @pytest.mark.parametrize("value", [None, ""])
    def test_refuses_one_without_a_header(self, fake_gateway, genuine, name, value):
        headers = genuine.headers | {f"Sandbox-{name}": value}
        headers = {name: value for name, value in headers.items() if value is not None}
        reason = self.refuse(fake_gateway, body=genuine.body, headers=headers)
        assert reason is BadReason.MISSING_HEADER

    @pytest.mark.parametrize(
        "signature", ["AAAA", "not base64!", "é", "A" * 344, "WECHATPAY/SIGNTEST/AAAA"]
    )
    def test_refuses_a_made_up_signature(self, fake_gateway, genuine, signature):
        headers = genuine.headers | {"Sandbox-Signature": signature}
        assert self.refuse(fake_gateway, body=genuine.body, headers=headers) is BadReason.SIGNATURE

    def test_refuses_a_signature_by_another_key(self, fake_gateway, genuine):
        wire = fake_gateway.fake.wires["sandbox"]
        wire._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        forged = fake_gateway.callback(NUMBER)
        assert self.refuse(fake_gateway, body=forged.body, headers=forged.headers) is (
            BadReason.UNKNOWN_KEY
        )
        pretending = forged.headers | {"Sandbox-Serial": genuine.headers["Sandbox-Serial"]}
        assert self.refuse(fake_gateway, body=forged.body, headers=pretending) is (
            BadReason.SIGNATURE
        )

    def test_refuses_one_signed_with_our_own_key(self, fake_gateway, genuine):
        wire = fake_gateway.fake.wires["sandbox"]
        wire._key = keys.private_key(str(fake_gateway.keys.merchant_private))
        forged = fake_gateway.callback(NUMBER)
        headers = forged.headers | {"Sandbox-Serial": genuine.headers["Sandbox-Serial"]}
        assert self.refuse(fake_gateway, body=forged.body, headers=headers) is BadReason.SIGNATURE

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda body: body.replace(b'"amount_minor": 10000', b'"amount_minor": 99999'),
            lambda body: body.replace(NUMBER.encode(), b"TU20261122ZZZZZZZZ"),
            lambda body: json.dumps(json.loads(body), separators=(",", ":")).encode(),
            lambda body: json.dumps(json.loads(body), sort_keys=True).encode(),
            lambda body: body + b"\n",
            lambda body: b"",
            lambda body: b"{}",
        ],
        ids=["amount", "number", "compact", "sorted", "newline", "empty", "other"],
    )
    def test_refuses_a_body_that_is_not_byte_for_byte_the_signed_one(
        self, fake_gateway, genuine, tamper
    ):
        body = tamper(genuine.body)
        assert body != genuine.body
        reason = self.refuse(fake_gateway, body=body, headers=genuine.headers)
        assert reason is BadReason.SIGNATURE

    @pytest.mark.parametrize(
        ("seconds", "reason"), [(301, BadReason.STALE), (-301, BadReason.FUTURE)]
    )
    def test_refuses_one_more_than_five_minutes_away(self, fake_gateway, genuine, seconds, reason):
        signed = int(genuine.headers["Sandbox-Timestamp"])
        at = now().fromtimestamp(signed + seconds, tz=BEIJING)
        assert (
            self.refuse(fake_gateway, body=genuine.body, headers=genuine.headers, at=at) is reason
        )

    @pytest.mark.parametrize("seconds", [300, -300])
    def test_believes_one_five_minutes_away(self, fake_gateway, genuine, seconds):
        signed = int(genuine.headers["Sandbox-Timestamp"])
        at = now().fromtimestamp(signed + seconds, tz=BEIJING)
        assert fake_gateway.gateway.parse_callback(
            body=genuine.body, headers=genuine.headers, at=at
        )

    @pytest.mark.parametrize("header", ["Timestamp", "Nonce"])
    def test_refuses_a_fresh_timestamp_or_nonce_on_an_old_signature(
        self, fake_gateway, genuine, header
    ):
        value = {"Timestamp": str(int(now().timestamp()) + 60), "Nonce": "b" * 32}[header]
        headers = genuine.headers | {f"Sandbox-{header}": value}
        assert self.refuse(fake_gateway, body=genuine.body, headers=headers) is BadReason.SIGNATURE

    @pytest.mark.parametrize("value", ["１７９５３１０４２０", " 1795310420", "1_795", "1e9", "-1"])
    def test_refuses_a_timestamp_that_is_no_plain_number(self, fake_gateway, genuine, value):
        headers = genuine.headers | {"Sandbox-Timestamp": value}
        assert self.refuse(fake_gateway, body=genuine.body, headers=headers) is BadReason.MALFORMED

    def test_refuses_an_unknown_serial(self, fake_gateway, genuine):
        headers = genuine.headers | {"Sandbox-Serial": "0" * 16}
        assert self.refuse(fake_gateway, body=genuine.body, headers=headers) is (
            BadReason.UNKNOWN_KEY
        )

    def test_refuses_one_for_another_merchant(self, fake_gateway, genuine):
        bank = fake_gateway.fake.bank
        theirs = bank.open(
            Order(
                wire="sandbox",
                merchant_id="SOMEBODYELSE",
                number="TU20261122THEIRS99",
                amount_minor=10000,
                currency="CNY",
                subject="x",
                notify_url="http://127.0.0.1:9/",
                return_url="http://127.0.0.1:9/",
                expires_at=now(),
                locale="",
                created_at=now(),
            )
        )
        bank.pay(theirs)
        callback = fake_gateway.callback(theirs.number)
        assert self.refuse(fake_gateway, body=callback.body, headers=callback.headers) is (
            BadReason.OTHER_MERCHANT
        )
        renamed = callback.headers | {"Sandbox-Merchant": "CRMPORTAL"}
        assert self.refuse(fake_gateway, body=callback.body, headers=renamed) is (
            BadReason.SIGNATURE
        )

    def test_refuses_an_answer_passed_off_as_a_callback(self, fake_gateway, genuine, monkeypatch):
        seen = []
        exchange = fake_gateway.gateway._exchange
        monkeypatch.setattr(
            fake_gateway.gateway,
            "_exchange",
            lambda *a, **k: seen.append(exchange(*a, **k)) or seen[-1],
        )
        status(fake_gateway.gateway)
        _, headers, body = seen[0]
        assert self.refuse(fake_gateway, body=body, headers=headers) is BadReason.SIGNATURE

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"status": "PAID"}',
            b'{"status": "PAYED"}',
        ],
    )
    def test_refuses_a_genuine_one_that_says_nothing_readable(self, fake_gateway, genuine, said):
        headers = fake_gateway.fake.wires["sandbox"]._signature(("CALLBACK", "CRMPORTAL"), said)
        assert self.refuse(fake_gateway, body=said, headers=headers) is BadReason.MALFORMED

    @pytest.mark.parametrize(
        "change",
        [
            {"amount_minor": 100.0},
            {"amount_minor": "10000"},
            {"amount_minor": True},
            {"amount_minor": 0},
            {"amount_minor": -1},
            {"amount_minor": 2**63},
            {"currency": "XXQ"},
            {"currency": None},
            {"external_id": ""},
            {"external_id": ["A"]},
            {"paid_at": "2026-11-22T10:00:00"},
            {"paid_at": 5},
            {"number": "TU-1"},
            {"merchant_id": "SOMEBODYELSE"},
        ],
        ids=str,
    )
    def test_refuses_a_genuine_one_with_an_impossible_field(self, fake_gateway, genuine, change):
        said = json.dumps(json.loads(genuine.body) | change).encode()
        headers = fake_gateway.fake.wires["sandbox"]._signature(("CALLBACK", "CRMPORTAL"), said)
        assert self.refuse(fake_gateway, body=said, headers=headers) is BadReason.MALFORMED

    def test_reports_what_was_really_paid(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        callback = fake_gateway.pay(NUMBER, amount_minor=1, currency="USD")
        [fact] = fake_gateway.gateway.parse_callback(
            body=callback.body, headers=callback.headers, at=now()
        )
        assert fact.amount == Money("0.01", "USD")

    def test_reports_a_failure_without_an_amount(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        callback = fake_gateway.fail(NUMBER)
        [fact] = fake_gateway.gateway.parse_callback(
            body=callback.body, headers=callback.headers, at=now()
        )
        assert (fact.status, fact.amount, fact.external_id) == (PaymentStatus.FAILED, None, "")


class TestQuery:
    def test_says_not_found_for_a_number_nobody_heard_of(self, fake_gateway):
        assert status(fake_gateway.gateway) is PaymentStatus.NOT_FOUND

    def test_finds_a_late_success_after_a_failure(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        fake_gateway.fail(NUMBER)
        assert status(fake_gateway.gateway) is PaymentStatus.FAILED
        fake_gateway.pay(NUMBER, late=True)
        assert status(fake_gateway.gateway) is PaymentStatus.PAID


class TestClose:
    def test_closes_an_unpaid_order_as_often_as_asked(self, fake_gateway):
        gateway = fake_gateway.gateway
        gateway.create(order(), at=now())
        for _ in range(2):
            assert gateway.close(order(), at=now()).status is PaymentStatus.CLOSED

    def test_reports_a_payment_that_was_faster(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        fake_gateway.pay(NUMBER)
        fact = fake_gateway.gateway.close(order(), at=now())
        assert (fact.status, fact.amount) == (PaymentStatus.PAID, REAL)

    def test_says_not_found_for_an_order_never_opened(self, fake_gateway):
        assert fake_gateway.gateway.close(order(), at=now()).status is PaymentStatus.NOT_FOUND


class TestRefund:
    @pytest.fixture
    def gateway(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        fake_gateway.pay(NUMBER)
        return fake_gateway.gateway

    def test_gives_back_once_per_number(self, gateway, fake_gateway):
        first, second = (gateway.refund(refund(), at=now()) for _ in range(2))
        assert first == second == gateway.query_refund(refund(), at=now())
        assert (first.status, first.amount) == (RefundStatus.SUCCEEDED, Money("40.00", "CNY"))
        assert len(fake_gateway.orders[NUMBER].refunds) == 1

    def test_refuses_another_amount_under_the_same_number(self, gateway):
        gateway.refund(refund(), at=now())
        with pytest.raises(GatewayRefused, match="REFUND_MISMATCH"):
            gateway.refund(refund(amount="41.00"), at=now())

    def test_refuses_more_than_was_paid(self, gateway):
        gateway.refund(refund(), at=now())
        with pytest.raises(GatewayRefused, match="REFUND_TOO_LARGE"):
            gateway.refund(refund(number="RF20261122ABCDEFGH02", amount="60.01"), at=now())
        assert gateway.refund(refund(number="RF20261122ABCDEFGH02", amount="60.00"), at=now())

    def test_may_take_its_time(self, gateway, fake_gateway):
        fake_gateway.set_fault("refund_processing", times=1)
        assert gateway.refund(refund(), at=now()).status is RefundStatus.PROCESSING
        [theirs] = fake_gateway.orders[NUMBER].refunds
        fake_gateway.fake.bank.settle_refund(theirs, succeeded=False)
        assert gateway.query_refund(refund(), at=now()).status is RefundStatus.FAILED

    def test_says_not_found_for_a_refund_never_asked_for(self, gateway):
        assert gateway.query_refund(refund(), at=now()).status is RefundStatus.NOT_FOUND


class TestFetchBill:
    def rows(self, gateway, kind):
        today = now().astimezone(BEIJING).date()
        return list(csv.DictReader(io.StringIO(gateway.fetch_bill(kind, today, at=now()).decode())))

    def test_lists_what_was_paid_and_given_back(self, fake_gateway):
        gateway = fake_gateway.gateway
        gateway.create(order(), at=now())
        fake_gateway.pay(NUMBER, payments=2)
        gateway.refund(refund(), at=now())
        trade = self.rows(gateway, BillKind.TRADE)
        assert [(row["kind"], row["amount"], row["fee"]) for row in trade] == [
            ("PAYMENT", "100.00", "0.60"),
            ("PAYMENT", "100.00", "0.60"),
            ("REFUND", "-40.00", "0.00"),
        ]
        assert trade[0]["number"] == NUMBER and trade[2]["refund_number"] == refund().number
        assert len({row["external_id"] for row in trade[:2]}) == 2
        funds = self.rows(gateway, BillKind.FUNDS)
        assert [row["kind"] for row in funds] == ["PAYMENT", "FEE", "PAYMENT", "FEE", "REFUND"]
        assert funds[-1]["balance"] == "158.80"

    def test_is_empty_on_a_day_without_movements(self, fake_gateway):
        yesterday = now().date() - timedelta(days=2)
        assert fake_gateway.gateway.fetch_bill(BillKind.TRADE, yesterday, at=now()) == b""


class TestFaults:
    def test_have_names_that_are_known(self):
        with pytest.raises(ValueError, match="unknown fault"):
            Fault("create_exploded")
