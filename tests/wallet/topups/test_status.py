import re
from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import Customer, Member
from tests.factories import UserFactory, member_of, open_customer, owner_of, staff
from tests.wallet.test_settling import paid_fact
from tests.wallet.topup_setting import cny, deliver, now, started, submitted
from tests.wallet.topups.pages import LIST, text, url
from wallet import cases, payments, queries, topups
from wallet.gateways.base import ActionKind, ClientAction
from wallet.models import Case
from wallet.views import story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


class TestTopupStatus:
    def test_waits_with_a_way_to_pay_and_a_countdown(self, client, owner, customer):
        topup = submitted(customer)
        page = text(client.get(url("status", topup)))
        assert "Waiting for your payment" in page and "Go to payment" in page
        assert topup.attempts.get().client_action["url"] in page
        assert "data-countdown=" in page and "I have paid, it isn't here" in page
        assert 'hx-trigger="load delay:2s, every 60s"' in page
        assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page

    def test_paid_shows_the_new_balance_and_the_receipt_and_stops_asking(
        self, client, owner, customer, fake_gateway
    ):
        topup = submitted(customer)
        deliver(fake_gateway.pay(topup.number))
        page = text(client.get(url("status", topup)))
        assert "The money has arrived" in page and "¥100.00" in page
        assert topup.receipt.number in page
        assert "hx-trigger" not in page.partition('id="topup-poll"')[2][:200]
        assert "I have paid" not in page

    def test_says_that_it_is_checked_to_who_comes_back_from_the_gateway(
        self, client, owner, customer, fake_gateway, monkeypatch
    ):
        topup = submitted(customer)
        page = text(client.get(url("return", topup), follow=True))
        assert "We are checking your payment" in page
        assert 'class="btn btn-lg" href="' in page and "I have paid, it isn't here" in page
        assert topup.attempts.get().state == "PENDING"  # proves nothing
        version = re.search(r"v=(\w+)", page)[1]
        assert "We are checking" not in text(client.get(url("live", topup), {"v": version}))
        monkeypatch.setattr("wallet.views.topups.CHECKING_SECONDS", 0)
        live = text(client.get(url("live", topup), {"v": version}))
        assert "Waiting for your payment" in live

    def test_tells_on_the_card_of_a_second_payment(self, client, owner, customer):
        topup = submitted(customer)
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        assert "A second payment" not in text(client.get(url("status", topup)))
        second = paid_fact(topup, external_id="SB0000000002")
        payments.settle(second, at=now(), learned_by="CALLBACK")
        page = text(client.get(url("status", topup)))
        assert "The money has arrived" in page and "A second payment has come for it" in page

    def test_failed_offers_another_try(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.fail(topup.number))
        page = text(client.get(url("status", topup)))
        assert "did not go through" in page and "Try again" in page

    def test_unknown_asks_not_to_pay_twice_and_offers_no_second_try(
        self, client, owner, customer, fake_gateway
    ):
        fake_gateway.set_fault("create_5xx")
        topup = submitted(customer)
        page = text(client.get(url("status", topup)))
        assert "do not pay a second time" in page and url("retry", topup) not in page

    def test_what_was_never_sent_can_be_sent_now(self, client, owner, customer):
        topup = started(customer)
        assert url("pay", topup) in text(client.get(url("status", topup)))
        client.post(url("pay", topup))
        assert topup.attempts.get().state == "PENDING"

    @pytest.mark.parametrize("way", ["expired", "cancelled"])
    def test_over_offers_a_new_start_and_a_question(self, client, owner, customer, way):
        topup = started(customer, at=now() - timedelta(hours=1))
        if way == "expired":
            topups.expire_due(at=now())
        else:
            topups.cancel(topup_id=topup.pk, at=now())
        page = text(client.get(url("status", topup)))
        assert "Start a new top-up" in page and "I have paid, it isn't here" in page
        assert "Go to payment" not in page

    def test_a_payment_that_did_not_fit_is_told_to_the_customer(
        self, client, owner, customer, fake_gateway
    ):
        topup = submitted(customer)
        deliver(fake_gateway.pay(topup.number, amount_minor=50_00))
        page = text(client.get(url("status", topup)))
        assert "needs a look by our staff" in page and "Go to payment" not in page

    @pytest.mark.parametrize("way", ["expired", "cancelled"])
    def test_a_payment_that_did_not_fit_is_told_also_when_it_is_over(
        self, client, owner, customer, fake_gateway, way
    ):
        topup = submitted(customer)
        deliver(fake_gateway.pay(topup.number, amount_minor=50_00))
        if way == "expired":
            topups.expire_due(at=now() + timedelta(hours=1))
        else:
            topups.cancel(topup_id=topup.pk, at=now())
        page = text(client.get(url("status", topup)))
        assert "needs a look by our staff" in page
        assert "nothing was charged" not in page and "I have paid, it isn't here" not in page

    def test_a_payment_that_did_not_fit_is_not_asked_for_again_when_staff_closed_it(
        self, client, owner, customer, fake_gateway
    ):
        topup = submitted(customer)
        deliver(fake_gateway.pay(topup.number, amount_minor=50_00))
        checker = staff("FINANCE_CHECKER")
        cases.resolve(case_id=Case.objects.get().pk, at=now(), by=checker, resolution="Sent back")

        page = text(client.get(url("status", topup)))

        assert "has dealt with your payment" in page and "Dealt with by our staff" in page
        assert "Go to payment" not in page and "nothing was charged" not in page
        assert topup.number not in text(client.get(reverse("wallet:overview")))

    def test_a_frozen_customer_is_not_sent_to_pay(self, client, owner, customer):
        topup = submitted(customer)
        Customer.objects.filter(pk=customer.pk).update(status="FROZEN")

        page = text(client.get(url("status", topup)))

        assert "please do not pay now" in page and "Go to payment" not in page

    def test_tells_every_attempt(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.fail(topup.number))
        second = topups.retry(topup_id=topup.pk, at=now())
        payments.submit(attempt_id=second.pk, at=now())
        page = text(client.get(url("status", topup)))
        assert "Attempt 1" in page and "Payment failed" in page
        assert "Attempt 2" in page and second.number in page

    def test_is_the_same_for_every_member_on_every_device(self, client, customer):
        topup = submitted(customer)
        for role in Member.Role.values:
            client.force_login(member_of(customer, role, locale="en"))
            assert "Waiting for your payment" in text(client.get(url("status", topup)))

    def test_viewers_see_it_and_have_no_buttons(self, client, customer):
        topup = submitted(customer)
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        page = text(client.get(url("status", topup)))
        assert "Go to payment" not in page
        for name in ("pay", "ask", "retry", "cancel"):
            assert url(name, topup) not in page

    def test_strangers_find_nothing(self, client, customer):
        topup = submitted(customer)
        client.force_login(owner_of(open_customer("Other Ltd")))
        for name in ("status", "live", "return"):
            assert client.get(url(name, topup)).status_code == 404
        for name in ("pay", "ask", "retry", "cancel"):
            assert client.post(url(name, topup)).status_code == 404
        client.force_login(UserFactory())
        assert client.get(url("status", topup)).status_code == 404

    def test_a_gateway_with_a_form_may_be_posted_to_from_this_page_alone(
        self, client, owner, customer
    ):
        topup = submitted(customer)
        action = ClientAction(
            kind=ActionKind.FORM, url="https://pay.example.com/a?b=1", fields={"token": "<&>"}
        )
        topup.attempts.update(client_action=action.as_json())
        response = client.get(url("status", topup))
        assert 'action="https://pay.example.com/a?b=1"' in text(response)
        assert 'value="&lt;&amp;&gt;"' in response.content.decode()
        policy = response["Content-Security-Policy"]
        assert "form-action 'self' https://pay.example.com;" in policy + ";"
        assert "pay.example.com" not in client.get(LIST)["Content-Security-Policy"]

    def test_a_gateway_with_a_qr_code_has_it_drawn_here(self, client, owner, customer):
        topup = submitted(customer)
        action = ClientAction(kind=ActionKind.QR, text="weixin://wxpay/bizpayurl?pr=1")
        topup.attempts.update(client_action=action.as_json())
        page = text(client.get(url("status", topup)))
        assert 'aria-label="QR code for paying"' in page and "<svg" in page


class TestTopupLive:
    def live(self, client, topup, looks="0", version=""):
        return client.get(url("live", topup), {"n": looks, "v": version})

    def version(self, topup):
        return story.tell(topup, at=now(), may_act=True).version

    def test_says_when_to_ask_again_with_growing_pauses(self, client, owner, customer):
        topup = submitted(customer)
        version, waits = self.version(topup), []
        for looks in range(0, 30, 3):
            response = self.live(client, topup, str(looks), version)
            waits.append(response.context["wait"])
            assert f"n={looks + 1}&v={version}" in text(response)
        assert waits == sorted(waits) and (waits[0], waits[-1]) == (2, 30)

    def test_draws_nothing_anew_while_nothing_changed(self, client, owner, customer):
        topup = submitted(customer)
        page = text(self.live(client, topup, "0", self.version(topup)))
        assert 'id="topup"' not in page and 'id="topup-poll"' in page and "<html" not in page

    def test_brings_the_news_the_balance_and_the_end(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        version = self.version(topup)
        deliver(fake_gateway.pay(topup.number))
        page = text(self.live(client, topup, "3", version))
        assert 'id="topup" hx-swap-oob="true" data-state="PAID"' in page
        assert "The money has arrived" in page
        assert 'id="balance-chip"' in page and "¥100.00" in page
        assert "hx-get" not in page.partition('id="topup-poll"')[2]

    @pytest.mark.parametrize("looks", ["", "-1", "x", "9" * 30])
    def test_bears_nonsense(self, client, owner, customer, looks):
        assert self.live(client, submitted(customer), looks).status_code == 200

    def test_keeps_asking_after_expiry_until_the_gateway_has_closed_it(
        self, client, owner, customer
    ):
        topup = submitted(customer, at=now() - timedelta(hours=1))
        topups.expire_due(at=now())
        assert self.live(client, topup).context["wait"]
        payments.resolve_open(at=now())
        assert self.live(client, topup).context["wait"] is None


class TestTopupReturn:
    @pytest.mark.parametrize("query", ["", "?status=PAID", "?paid=1&amount=999&number=TU1"])
    def test_leads_to_the_status_page_and_changes_nothing(self, client, owner, customer, query):
        topup = submitted(customer)
        response = client.get(url("return", topup) + query)
        assert response.url == url("status", topup)
        topup.refresh_from_db()
        assert topup.state == "PENDING" and queries.balance(customer).available == cny(0)

    def test_is_for_reading_only(self, client, owner, customer):
        assert client.post(url("return", submitted(customer))).status_code == 405
