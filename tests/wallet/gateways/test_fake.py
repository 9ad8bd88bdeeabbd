import json
import re
import signal
import subprocess
import sys
from datetime import timedelta

import httpx
import pytest
from djmoney.money import Money

from tests.wallet.gateways.conftest import NUMBER, eventually, http, now, order
from wallet.gateways.base import GatewayUnknown, PaymentStatus
from wallet.gateways.fake import amounts
from wallet.gateways.fake.texts import TEXTS
from wallet.gateways.sandbox.gateway import SandboxGateway


@pytest.fixture
def cashier(fake_gateway, merchant):
    """An open order's page."""
    return fake_gateway.gateway.create(order(notify_url=merchant.url), at=now()).url


@pytest.fixture
def control(fake_gateway):
    with httpx.Client(base_url=f"{fake_gateway.url}/control/", trust_env=False) as client:
        yield client


def facts(fake_gateway, merchant):
    return [
        fact
        for headers, body in list(merchant.received)
        for fact in fake_gateway.gateway.parse_callback(body=body, headers=headers, at=now())
    ]


class TestCashier:
    @pytest.mark.parametrize(
        ("asked", "headers", "language"),
        [
            ("", {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh"),
            ("", {"Accept-Language": "en-GB,en;q=0.9"}, "en"),
            ("", {"Accept-Language": "fr"}, "en"),
            ("?lang=zh", {"Accept-Language": "en"}, "zh"),
            ("?lang=en", {"Accept-Language": "zh"}, "en"),
        ],
    )
    def test_speaks_the_payers_language(self, cashier, asked, headers, language):
        page = http.get(cashier + asked, headers=headers).text
        assert TEXTS[language]["pay"] in page
        assert f'lang="{TEXTS[language]["lang"]}"' in page

    def test_has_the_same_words_in_both_languages(self):
        assert TEXTS["zh"].keys() == TEXTS["en"].keys()

    def test_escapes_what_the_merchant_wrote(self, fake_gateway):
        url = fake_gateway.gateway.create(order(subject="<script>alert(1)</script>"), at=now()).url
        answer = http.get(url)
        assert "<script" not in answer.text and "&lt;script&gt;" in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]

    def test_does_not_know_a_made_up_order(self, fake_gateway):
        assert http.get(f"{fake_gateway.url}/cashier/made-up").status_code == 404
        assert http.get(f"{fake_gateway.url}/cashier/é").status_code == 404

    @pytest.mark.parametrize(
        ("form", "told"),
        [
            ({"do": "pay"}, [("PAID", "100.00", "CNY")]),
            ({"do": "fail"}, [("FAILED", None, None)]),
            ({"do": "twice"}, [("PAID", "100.00", "CNY")] * 2),
            ({"do": "amount", "amount": "0.01"}, [("PAID", "0.01", "CNY")]),
            ({"do": "currency", "currency": "USD"}, [("PAID", "100.00", "USD")]),
            ({"do": "notify_thrice"}, [("PAID", "100.00", "CNY")] * 3),
            ({"do": "notify_lost"}, [("PAID", "100.00", "CNY")]),
            ({"do": "notify_never"}, []),
            ({"do": "leave"}, []),
        ],
        ids=lambda value: value["do"] if isinstance(value, dict) else "",
    )
    def test_does_what_its_buttons_say(self, fake_gateway, merchant, cashier, form, told):
        answer = http.post(cashier, data=form)
        assert answer.status_code == 303
        assert answer.headers["Location"].endswith(f"?from=gateway&number={NUMBER}")
        eventually(lambda: len(merchant.received) >= len(told))
        expected = [
            (PaymentStatus(status), amount and Money(amount, currency))
            for status, amount, currency in told
        ]
        found = facts(fake_gateway, merchant)
        assert [(fact.status, fact.amount) for fact in found] == expected
        paid = [fact for fact in found if fact.status is PaymentStatus.PAID]
        assert len({fact.external_id for fact in paid}) == (
            2 if form["do"] == "twice" else min(len(paid), 1)
        )

    @pytest.mark.parametrize(
        "form",
        [
            {"do": "amount", "amount": "１００"},
            {"do": "amount", "amount": "-1"},
            {"do": "amount", "amount": "0"},
            {"do": "amount", "amount": "1.234"},
            {"do": "amount"},
            {"do": "currency", "currency": "XXX"},
            {"do": "steal"},
            {},
        ],
        ids=str,
    )
    def test_refuses_nonsense(self, fake_gateway, cashier, form):
        answer = http.post(cashier, data=form)
        assert answer.status_code == 200 and 'role="alert"' in answer.text
        assert fake_gateway.orders[NUMBER].status == "PENDING"

    def test_pays_once_however_often_the_button_is_pressed(self, fake_gateway, cashier):
        for _ in range(3):
            assert http.post(cashier, data={"do": "pay"}).status_code == 303
        assert len(fake_gateway.orders[NUMBER].payments) == 1
        assert TEXTS["en"]["paid"] in http.get(cashier).text

    def test_pays_late_once_the_merchant_has_closed_the_order(
        self, fake_gateway, merchant, cashier
    ):
        http.post(cashier, data={"do": "late"})
        assert fake_gateway.gateway.query(order(), at=now()).status is PaymentStatus.PENDING
        assert fake_gateway.gateway.close(order(), at=now()).status is PaymentStatus.CLOSED
        eventually(lambda: merchant.received)
        assert fake_gateway.gateway.query(order(), at=now()).status is PaymentStatus.PAID
        assert len(fake_gateway.orders[NUMBER].payments) == 1

    def test_pays_late_after_the_expiry(self, fake_gateway, merchant):
        soon = order(notify_url=merchant.url, expires_at=now() + timedelta(milliseconds=50))
        url = fake_gateway.gateway.create(soon, at=now()).url
        http.post(url, data={"do": "late"})
        eventually(lambda: merchant.received)
        assert fake_gateway.orders[NUMBER].status == "PAID"

    @pytest.mark.parametrize("over", ["closed", "expired"])
    def test_takes_money_for_an_order_that_is_over_only_as_a_late_payment(self, fake_gateway, over):
        wanted = order(expires_at=now() + timedelta(minutes=5 if over == "closed" else -5))
        url = fake_gateway.gateway.create(wanted, at=now()).url
        if over == "closed":
            fake_gateway.gateway.close(wanted, at=now())
        assert TEXTS["en"][over] in http.get(url).text
        assert http.post(url, data={"do": "pay"}).status_code == 200
        assert not fake_gateway.orders[NUMBER].payments
        assert http.post(url, data={"do": "pay", "late": "1"}).status_code == 303
        assert fake_gateway.orders[NUMBER].payments

    def test_lets_queries_fail_and_recover(self, fake_gateway, cashier):
        http.post(cashier, data={"do": "query_5xx"})
        for _ in range(3):
            with pytest.raises(GatewayUnknown):
                fake_gateway.gateway.query(order(), at=now())
        assert fake_gateway.gateway.query(order(), at=now()).status is PaymentStatus.PAID

    def test_may_be_slow(self, fake_gateway, cashier, monkeypatch):
        monkeypatch.setattr("wallet.gateways.fake.cashier.SLOW_SECONDS", 0.1)
        assert http.post(cashier, data={"do": "slow"}).status_code == 303
        assert fake_gateway.fake.bank.faults[0].name == "query_slow"


class TestNotifier:
    def test_tries_again_until_it_hears_the_success_word(self, fake_gateway, merchant, cashier):
        merchant.answers = [(500, b"success"), (200, b"ok"), (200, b"success")]
        fake_gateway.pay(NUMBER, notify=1)
        [news] = fake_gateway.fake.notifier.notifications
        eventually(lambda: len(news.deliveries) == 3)
        assert [one.accepted for one in news.deliveries] == [False, False, True]
        bodies = [json.loads(body) for _, body in merchant.received]
        assert len({body["notification_id"] for body in bodies}) == 1
        assert len({headers["Sandbox-Nonce"] for headers, _ in merchant.received}) == 3

    def test_gives_up_after_its_last_try(self, fake_gateway, merchant, cashier):
        merchant.answers = [(400, b"fail")] * 10
        fake_gateway.pay(NUMBER, notify=1)
        [news] = fake_gateway.fake.notifier.notifications
        eventually(lambda: len(news.deliveries) == 4)
        assert len(merchant.answers) == 6

    def test_survives_a_merchant_that_is_not_there(self, fake_gateway):
        fake_gateway.gateway.create(order(), at=now())
        fake_gateway.pay(NUMBER, notify=1)
        [news] = fake_gateway.fake.notifier.notifications
        eventually(lambda: len(news.deliveries) == 4)
        assert {one.status for one in news.deliveries} == {None}

    def test_does_not_follow_a_redirect(self, fake_gateway, merchant, cashier):
        merchant.answers = [(302, b"success")]
        fake_gateway.pay(NUMBER, notify=1)
        [news] = fake_gateway.fake.notifier.notifications
        eventually(lambda: len(news.deliveries) == 2)
        assert news.deliveries[0].status == 302

    def test_sends_sixty_copies_in_parallel(self, fake_gateway, merchant, cashier):
        fake_gateway.pay(NUMBER, notify=60)
        eventually(lambda: len(merchant.received) == 60, seconds=20)


class TestControl:
    def test_pays_and_lists(self, fake_gateway, merchant, cashier, control):
        paid = control.post("pay", json={"number": NUMBER, "payments": 2}).json()
        assert (paid["status"], len(paid["payments"])) == ("PAID", 2)
        eventually(lambda: len(merchant.received) == 2)
        assert [one["number"] for one in control.get("orders").json()] == [NUMBER]
        eventually(
            lambda: (
                [
                    one["deliveries"] and one["deliveries"][0]["answer"]
                    for one in control.get("notifications", params={"number": NUMBER}).json()
                ]
                == ["success", "success"]
            )
        )
        assert control.get("notifications", params={"number": "OTHER"}).json() == []

    def test_fails_repeats_and_pays_late(self, fake_gateway, merchant, cashier, control):
        assert control.post("fail", json={"number": NUMBER}).json()["status"] == "FAILED"
        assert control.post("pay", json={"number": NUMBER}).status_code == 409
        control.post("pay", json={"number": NUMBER, "late": True})
        control.post("notify", json={"number": NUMBER, "copies": 3})
        eventually(lambda: len(merchant.received) == 5)

    def test_sets_and_clears_faults(self, fake_gateway, control):
        answer = control.post("faults", json={"name": "query_5xx", "times": 2})
        assert answer.json()["times"] == 2
        assert len(control.get("faults").json()["set"]) == 1
        control.delete("faults")
        assert control.get("faults").json()["set"] == []

    def test_writes_a_callback_without_sending_it(self, fake_gateway, cashier, control):
        written = control.post("callback", json={"number": NUMBER}).json()
        assert "Sandbox-Signature" in written["headers"] and written["body"]

    @pytest.mark.parametrize(
        ("name", "message", "status"),
        [
            ("pay", {"number": "NOBODY"}, 404),
            ("pay", {"number": NUMBER, "nonsense": 1}, 400),
            ("pay", {}, 400),
            ("faults", {"name": "explode"}, 400),
            ("refund", {"number": "NOBODY"}, 404),
            ("nowhere", {}, 404),
        ],
    )
    def test_refuses_nonsense(self, cashier, control, name, message, status):
        assert control.post(name, json=message).status_code == status

    def test_takes_no_form_of_another_page(self, cashier, control):
        body = json.dumps({"number": NUMBER})
        answer = control.post("pay", content=body, headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415

    def test_obeys_this_machine_only(self, fake_gateway):
        from wallet.gateways.fake.exchange import Request

        request = Request("GET", "/control/orders", {}, b"", peer="192.0.2.7")
        assert fake_gateway.fake.control.answer(request).status == 403


class TestSandboxWire:
    """What the gateway refuses; the forged requests a careless merchant might send."""

    def send(self, fake_gateway, monkeypatch, *, change):
        gateway = fake_gateway.gateway
        exchange = gateway._exchange

        def tampered(method, target, **terms):
            return exchange(*change(method, target, terms), **terms)

        monkeypatch.setattr(gateway, "_exchange", tampered)
        return gateway.create(order(), at=now())

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("Signature", "AAAA", "SIGN_ERROR"),
            ("Signature", "?", "SIGN_ERROR"),
            ("Timestamp", "1", "SIGN_ERROR"),
            ("Timestamp", "now", "SIGN_ERROR"),
            ("Serial", "0" * 16, "MERCHANT_UNKNOWN"),
            ("Merchant", "SOMEBODYELSE", "MERCHANT_UNKNOWN"),
            ("Merchant", "", "SIGN_MISSING"),
        ],
    )
    def test_refuses_a_forged_request(self, fake_gateway, monkeypatch, name, value, code):
        def change(method, target, terms):
            terms["headers"][f"Sandbox-{name}"] = value
            return method, target

        with pytest.raises(Exception, match=code):
            self.send(fake_gateway, monkeypatch, change=change)
        assert not fake_gateway.orders

    def test_refuses_a_tampered_body(self, fake_gateway, monkeypatch):
        def change(method, target, terms):
            terms["body"] = terms["body"].replace(b"10000", b"10001")
            return method, target

        with pytest.raises(Exception, match="SIGN_ERROR"):
            self.send(fake_gateway, monkeypatch, change=change)
        assert not fake_gateway.orders

    def test_refuses_an_old_request(self, fake_gateway, monkeypatch):
        class Clock:
            @staticmethod
            def time():
                return now().timestamp() - 301

            monotonic = staticmethod(lambda: 0.0)

        monkeypatch.setattr("wallet.gateways.sandbox.gateway.time", Clock)
        with pytest.raises(Exception, match="ahead"):
            fake_gateway.gateway.create(order(), at=now())
        assert not fake_gateway.orders

    def test_refuses_the_same_request_twice(self, fake_gateway, monkeypatch):
        monkeypatch.setattr("wallet.gateways.sandbox.signing.nonce", lambda: "a" * 32)
        fake_gateway.gateway.create(order(), at=now())
        with pytest.raises(Exception, match="NONCE_REUSED"):
            fake_gateway.gateway.create(order(), at=now())

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("amount_minor", 0),
            ("amount_minor", 1.5),
            ("currency", "rmb"),
            ("notify_url", "file:///etc/passwd"),
            ("return_url", "javascript:alert(1)"),
            ("expires_at", "tomorrow"),
            ("expires_at", "2026-11-22T10:00:00"),
            ("number", "tu"),
            ("subject", "x" * 257),
        ],
    )
    def test_refuses_impossible_terms(self, fake_gateway, name, value):
        terms = {
            "number": NUMBER,
            "amount_minor": 100,
            "currency": "CNY",
            "subject": "",
            "notify_url": "http://x/",
            "return_url": "http://x/",
            "expires_at": now().isoformat(),
            "locale": "",
        }
        fake_gateway.gateway._call("POST", "/orders", terms)
        with pytest.raises(Exception, match=f"PARAM_INVALID: {name}"):
            fake_gateway.gateway._call("POST", "/orders", terms | {name: value})


class TestAmounts:
    @pytest.mark.parametrize(
        ("minor", "currency", "text"),
        [(1, "CNY", "0.01"), (-40, "CNY", "-0.40"), (1000, "JPY", "1000"), (1, "KWD", "0.001")],
    )
    def test_are_written_with_every_place(self, minor, currency, text):
        assert amounts.major(minor, currency) == text
        if minor > 0:
            assert amounts.minor(text, currency) == minor

    def test_are_shown_with_sign_and_groups(self):
        assert amounts.shown(123456789, "CNY") == "¥1,234,567.89"
        assert amounts.shown(1234, "XYZ") == "XYZ 12.34"

    @pytest.mark.parametrize("text", ["", "x", ".5", "1.2.3", "1e3", "٣", "0", "0.00", "1.234"])
    def test_are_read_strictly(self, text):
        assert amounts.minor(text, "CNY") is None


class TestProcess:
    """The instrument as it is shipped: a process of its own."""

    def test_starts_serves_and_stops_on_sigterm(self, sandbox_keys):
        command = [sys.executable, "-m", "wallet.gateways.fake", "--port", "0"]
        command += ["--merchant-public-key", str(sandbox_keys.merchant_public)]
        command += ["--private-key", str(sandbox_keys.gateway_private)]
        command += ["--public-url", "https://pay.example.com/"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            url = re.search(r"http://\S+", process.stdout.readline())[0]
            assert http.get(f"{url}/livez").text == "ok"
            gateway = SandboxGateway(
                url=url,
                merchant_id="CRMPORTAL",
                private_key=str(sandbox_keys.merchant_private),
                gateway_public_key=str(sandbox_keys.gateway_public),
            )
            action = gateway.create(order(), at=now())
            assert action.url.startswith("https://pay.example.com/cashier/")
        finally:
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=10)
        assert (process.returncode, rest) == (0, "fake gateway stopped\n")

    def test_never_imports_django(self):
        script = (
            "import sys, wallet.gateways.fake.__main__;"
            "print({name.partition('.')[0] for name in sys.modules} & {'django', 'djmoney'})"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.stdout == "set()\n"
