import re

import pytest
from django.urls import reverse
from django.utils import translation

from accounts import customers
from tests.factories import open_customer
from tests.wallet.topup_setting import cny, deliver, now, started, submitted
from tests.wallet.topups.pages import (
    CONFIRM,
    KEY,
    NEW,
    confirm,
    look,
    look_directly,
    order,
    text,
    url,
)
from wallet.models import TopUp
from wallet.views import topups as views

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


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
