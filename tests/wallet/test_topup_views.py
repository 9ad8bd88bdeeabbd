import html
import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts import customers
from accounts.models import Customer, Member
from tests.factories import UserFactory, member_of, open_customer, owner_of, staff
from tests.wallet.topup_setting import cny, deliver, now, started, submitted
from wallet import cases, payments, queries, topups
from wallet.gateways.base import ActionKind, ClientAction
from wallet.models import Case, PaymentAttempt, TopUp
from wallet.views import story
from wallet.views import topups as views

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]

NEW = "/wallet/topups/new/"
CONFIRM = "/wallet/topups/new/confirm/"
LIST = "/wallet/topups/"
KEY = "abcdefghijklmnop2345"


@pytest.fixture(autouse=True)
def no_limits_left_over():
    cache.clear()


@pytest.fixture
def customer():
    return open_customer("Aurora Ltd", locale="en")


@pytest.fixture
def owner(customer, client):
    person = owner_of(customer)
    person.locale = "en"
    person.save()
    client.force_login(person)
    return person


def url(name: str, topup: TopUp) -> str:
    return reverse(f"wallet:topup-{name}", args=[topup.number])


def text(response) -> str:
    return html.unescape(response.content.decode())


def order(amount: str = "100.00", **more: str) -> dict[str, str]:
    return {"amount": amount, "gateway": "sandbox", "request_key": KEY} | more


def look(client, fields: dict[str, str]):
    """
    Enter an order and return the look before it is confirmed, or the form with its errors.
    """
    return client.post(NEW, fields, follow=True)


def confirm(client, fields: dict[str, str], **more):
    return client.post(CONFIRM, fields, **more)


def look_directly(client, fields: dict[str, str]):
    return client.get(CONFIRM, fields)


class TestTopupNew:
    def test_offers_amounts_limits_and_what_the_wallet_will_hold(self, client, owner):
        page = text(client.get(NEW))
        for shown in ("¥100.00", "¥5,000.00", "From ¥1.00 to ¥50,000.00", "Available now"):
            assert shown in page
        assert 'inputmode="decimal"' in page and "Sandbox payment" in page

    def test_each_form_has_a_key_of_its_own(self, client, owner):
        keys = {
            re.search(r'name="request_key" value="(\w+)"', text(client.get(NEW)))[1]
            for _ in range(3)
        }
        assert len(keys) == 3

    def test_offers_no_amount_the_wallet_has_no_room_for(self, client, owner, customer):
        for _ in range(3):
            started(customer, "50000.00")
        started(customer, "49000.00")
        page = text(client.get(NEW))
        assert 'value="1000.00"' in page and 'value="2000.00"' not in page

    def test_takes_up_what_was_entered_before(self, client, owner):
        page = text(client.get(NEW + "?amount=123.45&gateway=sandbox"))
        assert 'value="123.45"' in page and "¥123.45" in page

    @pytest.mark.parametrize(
        "amount",
        [
            "-1",
            "0",
            "0.001",
            "1e30",
            "NaN",
            "１００",
            "12.345",
            "1,000",
            "abc",
            "",
            "0.99",
            "50000.01",
            "9" * 41,
            "١٠٠",
            "0x10",
            "+5",
            "1 000",
        ],
    )
    @pytest.mark.parametrize("step", [look, look_directly, confirm])
    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_refuses_bad_amounts_in_the_readers_language(
        self, client, owner, amount, step, language
    ):
        owner.locale = language
        owner.save()
        response = step(client, order(amount))
        assert response.status_code == 422
        [error] = response.context["form"].errors["amount"]
        assert error and TopUp.objects.count() == 0

    def test_speaks_chinese(self, client, owner):
        with translation.override("zh-hans"):
            said = str(views._("Choose an amount or enter one."))
        owner.locale = "zh-hans"
        owner.save()
        assert said in text(look(client, order("")))

    @pytest.mark.parametrize("step", [look, look_directly, confirm])
    def test_refuses_unknown_gateways(self, client, owner, step):
        response = step(client, order() | {"gateway": "alipay"})
        assert response.status_code == 422 and response.context["form"].errors["gateway"]
        assert TopUp.objects.count() == 0

    @pytest.mark.parametrize("step", [look, look_directly, confirm])
    def test_refuses_frozen_customers(self, client, owner, customer, step):
        customers.freeze(customer_id=customer.pk, reason="test", at=now(), by=None)
        assert "frozen" in text(client.get(NEW))
        assert step(client, order()).status_code == 422
        assert TopUp.objects.count() == 0

    def test_refuses_an_eleventh_open_topup_and_says_what_to_do(self, client, owner, customer):
        for _ in range(10):
            started(customer, "1.00")
        response = look(client, order())
        assert response.status_code == 422 and "Pay or cancel one of them" in text(response)

    @pytest.mark.parametrize(
        "key", ["short", "UPPERCASE1234567890", "a b c d e f g h i j k", "é" * 20]
    )
    def test_refuses_a_key_that_was_tampered_with(self, client, owner, key):
        assert confirm(client, order(request_key=key)).status_code == 422
        assert TopUp.objects.count() == 0

    def test_a_chosen_card_is_an_amount(self, client, owner):
        response = look(client, order("", preset="500.00"))
        assert response.context["amount"] == cny(500)

    def test_a_typed_amount_goes_before_a_card(self, client, owner):
        response = look(client, order("70", preset="500.00"))
        assert response.context["amount"] == cny(70)

    def test_refuses_a_card_nobody_offered(self, client, owner):
        assert look(client, order("", preset="3.33")).status_code == 422

    def test_says_when_no_payment_method_is_on(self, client, owner, settings):
        settings.GATEWAYS = {}
        assert "No payment method is available" in text(client.get(NEW))


class TestConfirmation:
    def test_repeats_everything_and_writes_nothing(self, client, owner, customer):
        page = text(look(client, order("1234.50")))
        for shown in (
            "¥1,234.50",
            str(customer),
            "Sandbox payment",
            "What happens next",
            "within 30 minutes",
        ):
            assert shown in page
        assert f'name="request_key" value="{KEY}"' in page
        assert "?amount=1234.50&gateway=sandbox" in page
        assert TopUp.objects.count() == 0

    def test_is_a_page_one_can_come_back_to(self, client, owner):
        place = client.post(NEW, order()).url
        assert place == f"{CONFIRM}?amount=100.00&gateway=sandbox&request_key={KEY}"
        for _ in range(2):
            assert client.get(place).context["amount"] == cny(100)
        assert TopUp.objects.count() == 0

    def test_gives_an_order_without_a_key_one(self, client, owner):
        page = text(look(client, order(request_key="")))
        assert re.search(r'name="request_key" value="[a-z2-7]{24}"', page)

    def test_writes_the_amount_in_capital_characters_for_readers_of_chinese(self, client, owner):
        assert "人民币" not in text(look(client, order("1234.50")))
        owner.locale = "zh-hans"
        owner.save()
        assert "人民币壹仟贰佰叁拾肆元伍角" in text(look(client, order("1234.50")))

    def test_orders_sends_and_leads_to_the_status_page(self, client, owner, customer, fake_gateway):
        response = confirm(client, order())
        topup = TopUp.objects.get()

        assert response.status_code == 302 and response.url == url("status", topup)
        assert (topup.customer, topup.amount, topup.created_by) == (customer, cny(100), owner)
        assert topup.state == "PENDING" and topup.number in fake_gateway.orders

    def test_goes_on_to_the_gateway_once(self, client, owner):
        first = confirm(client, order(), follow=True)
        action = TopUp.objects.get().attempts.get().client_action
        assert f'<meta http-equiv="refresh" content="0;url={action["url"]}">' in text(first)
        again = client.get(url("status", TopUp.objects.get()))
        assert 'content="0;url=' not in text(again) and action["url"] in text(again)

    def test_a_double_click_two_tabs_or_a_resend_are_one_topup(self, client, owner, fake_gateway):
        places = {confirm(client, order()).url for _ in range(4)}
        assert len(places) == 1 and TopUp.objects.count() == 1
        assert len(fake_gateway.orders) == 1

    def test_the_same_form_with_another_amount_is_refused(self, client, owner):
        confirm(client, order())
        response = confirm(client, order("200.00"))
        assert response.status_code == 422 and "already used" in text(response)
        assert TopUp.objects.count() == 1

    def test_a_gateway_that_does_not_answer_leaves_a_page_that_says_so(
        self, client, owner, fake_gateway
    ):
        fake_gateway.set_fault("create_5xx")
        page = text(confirm(client, order(), follow=True))
        assert "do not pay a second time" in page and 'content="0;url=' not in page

    def test_hidden_fields_are_no_authority(self, client, owner, customer):
        other = open_customer("Other Ltd")
        confirm(client, order(customer=str(other.pk), currency="USD", amount_currency="USD"))
        assert TopUp.objects.get().customer == customer
        assert TopUp.objects.get().amount == cny(100)


class TestTopupSummary:
    def get(self, client, **query: str):
        return client.get(reverse("wallet:topup-summary"), query)

    def test_shows_the_balance_after(self, client, owner, customer, fake_gateway):
        deliver(fake_gateway.pay(submitted(customer, "30.00").number))
        page = text(self.get(client, amount="12.50"))
        assert "¥30.00" in page and "+¥12.50" in page and "¥42.50" in page

    def test_of_a_card(self, client, owner):
        assert "¥500.00" in text(self.get(client, preset="500.00"))

    @pytest.mark.parametrize("amount", ["", "-1", "abc", "1e30", "１００", "0"])
    def test_of_no_amount_promises_nothing(self, client, owner, amount):
        response = self.get(client, amount=amount)
        assert response.status_code == 200 and response.context["after"] is None

    @pytest.mark.parametrize("amount", ["0.50", "60000"])
    def test_says_when_it_is_outside_the_limits(self, client, owner, amount):
        assert self.get(client, amount=amount).context["problem"]


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


class TestAskTopup:
    def test_learns_of_a_payment_at_once(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        fake_gateway.pay(topup.number)
        page = text(client.post(url("ask", topup), follow=True))
        assert "The money has arrived" in page

    def test_says_so_when_there_is_none(self, client, owner, customer):
        page = text(client.post(url("ask", submitted(customer)), follow=True))
        assert "has not confirmed a payment yet" in page

    def test_asks_once_in_five_seconds(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        for _ in range(4):
            page = text(client.post(url("ask", topup), follow=True))
        assert "We have just asked" in page
        assert topup.attempts.get().queries == 1

    def test_bears_a_gateway_that_does_not_answer(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        fake_gateway.set_fault("query_5xx")
        response = client.post(url("ask", topup))
        assert response.status_code == 302
        assert topup.attempts.get().state == "PENDING"

    def test_finds_money_for_what_has_expired(self, client, owner, customer, fake_gateway):
        topup = submitted(customer, at=now() - timedelta(hours=1))
        topups.expire_due(at=now())
        payments.resolve_open(at=now())
        fake_gateway.pay(topup.number, late=True)
        client.post(url("ask", topup))
        assert queries.balance(customer).available == cny(100)


class TestRetryTopup:
    def test_begins_and_sends_another_attempt(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.fail(topup.number))
        page = text(client.post(url("retry", topup), follow=True))
        assert 'content="0;url=' in page and topup.attempts.count() == 2
        assert topup.attempts.last().state == "PENDING"

    def test_twice_is_once(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.fail(topup.number))
        client.post(url("retry", topup))
        response = client.post(url("retry", topup))
        assert "not over yet" in str(next(iter(get_messages(response.wsgi_request))))
        assert topup.attempts.count() == 2


class TestCancelTopup:
    def test_closes_it_here_and_at_the_gateway(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        page = text(client.post(url("cancel", topup), follow=True))
        topup.refresh_from_db()
        assert topup.state == "CANCELLED" and topup.attempts.get().state == "CLOSED"
        assert fake_gateway.orders[topup.number].status == "CLOSED"
        assert "Cancelled" in page

    def test_of_what_has_just_been_paid_credits_it(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        fake_gateway.pay(topup.number)
        client.post(url("cancel", topup))
        topup.refresh_from_db()
        assert topup.state == "PAID" and queries.balance(customer).available == cny(100)

    def test_of_what_is_paid_is_refused_with_words(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.pay(topup.number))
        page = text(client.post(url("cancel", topup), follow=True))
        assert "can no longer be cancelled" in page


class TestRights:
    @pytest.mark.parametrize("name", ["pay", "ask", "retry", "cancel"])
    def test_viewers_do_nothing(self, client, customer, name):
        topup = submitted(customer)
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.post(url(name, topup)).status_code == 403
        assert PaymentAttempt.objects.get().state == "PENDING"

    def test_viewers_order_nothing(self, client, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.get(NEW).status_code == 403
        assert confirm(client, order()).status_code == 403
        assert TopUp.objects.count() == 0

    @pytest.mark.parametrize("name", ["pay", "ask", "retry", "cancel"])
    def test_nothing_happens_by_looking(self, client, owner, customer, name):
        assert client.get(url(name, submitted(customer))).status_code == 405

    def test_strangers_are_sent_to_log_in(self, client, customer):
        topup = submitted(customer)
        for address in (NEW, LIST, url("status", topup), url("live", topup), url("return", topup)):
            assert client.get(address).url.startswith(reverse("account_login"))

    def test_forms_need_their_csrf_token(self, customer):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(owner_of(customer))
        assert confirm(strict, order()).status_code == 403
        assert TopUp.objects.count() == 0


class TestTopupList:
    def test_is_empty_with_a_next_step(self, client, owner):
        page = text(client.get(LIST))
        assert "No top-ups yet" in page and NEW in page

    def test_shows_number_state_and_amount_newest_first(
        self, client, owner, customer, fake_gateway
    ):
        first, second = submitted(customer, "10.00"), submitted(customer, "20.00")
        deliver(fake_gateway.pay(first.number))
        page = text(client.get(LIST))
        assert page.index(second.number) < page.index(first.number)
        assert "+¥10.00" in page and 'data-status="PAID"' in page and "¥20.00" in page

    def test_shows_only_the_current_customers(self, client, owner, customer):
        other = submitted(open_customer("Other Ltd"))
        assert other.number not in text(client.get(LIST))

    def test_filters_by_state_number_and_day(self, client, owner, customer, fake_gateway):
        paid, waiting = submitted(customer), submitted(customer)
        deliver(fake_gateway.pay(paid.number))
        cancelled = topups.cancel(topup_id=started(customer).pk, at=now())

        def shown(**query):
            page = text(client.get(LIST, query))
            return [one for one in (paid, waiting, cancelled) if one.number in page]

        assert shown(state="paid") == [paid]
        assert shown(state="open") == [waiting]
        assert shown(state="closed") == [cancelled]
        assert shown(q=paid.number[-5:].lower()) == [paid]
        assert shown(since="2000-01-01") == [paid, waiting, cancelled]
        assert shown(until="2000-01-01") == []

    def test_says_when_nothing_matches(self, client, owner, customer):
        started(customer)
        assert "Nothing matches" in text(client.get(LIST, {"state": "paid"}))

    @pytest.mark.parametrize("query", [{"state": "odd"}, {"since": "yesterday"}, {"page": "x"}])
    def test_bears_nonsense(self, client, owner, customer, query):
        assert started(customer).number in text(client.get(LIST, query))

    def test_turns_pages(self, client, owner, customer):
        numbers = []
        for _ in range(views.PAGE + 1):
            topup = started(customer, "1.00")
            topups.cancel(topup_id=topup.pk, at=now())
            numbers.append(topup.number)
        first, second = text(client.get(LIST)), text(client.get(LIST, {"page": 2}))
        assert numbers[0] not in first and numbers[-1] in first
        assert numbers[0] in second and numbers[-1] not in second

    def test_asks_the_database_the_same_however_many_there_are(
        self, client, owner, customer, django_assert_max_num_queries
    ):
        for _ in range(8):
            started(customer, "1.00")
        with django_assert_max_num_queries(12):
            client.get(LIST)
