import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.models import Consent, Member
from crm_billing.templatetags.ui import money as shown
from packages import subscriptions, waiting
from packages.models import Charge, Subscription, SubscriptionChange
from tests.factories import cny, fund, member_of, open_customer
from tests.packages.buying import bought, left, on_sale
from tests.packages.checking_out import paid
from tests.packages.reading import text
from tests.packages.shelf import basic, seats, terms
from wallet.models import TopUp

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "1000.00")


@pytest.fixture
def running(customer):
    """
    A plan by seats, three days old, with two seats and a dearer plan beside it.
    """
    version = on_sale(terms(basic("99.00"), seats(1)), code="pro")
    at = timezone.now() - timedelta(days=3)
    return bought(customer, version, seats=2, at=at)


def url(subscription: Subscription, query: str = "") -> str:
    return f"/subscriptions/{subscription.number}/change/{query}"


def dear() -> str:
    """
    Put a plan on sale that nobody here can pay, and return the query that asks for it.
    """
    return f"?price={on_sale(terms(basic('9000.00')), code='big').pk}"


def offers(page) -> list[str]:
    """
    Return the prices a page offers to change to, in words.
    """
    labels = re.findall(r'class="change-choice">(.*?)</label>', page.content.decode(), re.S)
    return [" ".join(re.sub(r"<[^>]+>|Now", " ", one).split()) for one in labels]


def seen(page) -> str:
    return re.search(r'name="seen" value="([^"]+)"', page.content.decode())[1]


class TestChange:
    def test_offers_what_is_on_sale_with_the_present_one_chosen(self, english, running):
        on_sale(terms(basic("900.00")), code="big")
        page = english.get(url(running))
        assert offers(page) == ["Pro ¥124.00 a month · 2 seats", "Big ¥900.00 a month"]
        assert "What you agree to" not in text(page)

    def test_shows_no_price_for_seats_that_are_not_sold(self, english, running):
        small = on_sale(terms(basic("9.00"), seats(1, hard_limit=Decimal(1))), code="small")
        page = english.get(url(running, f"?price={small.pk}&seats=2"))
        assert page.status_code == 422
        assert "At most 1 seat is sold. Enter fewer, or choose another plan." in text(page)
        assert "seats" in page.context["form"].errors and not page.context["refusal"]
        assert "What you agree to" not in text(page)

    def test_offers_all_with_the_seats_entered_or_as_many_as_there_are(self, english, running):
        on_sale(terms(basic("9.00"), seats(1, hard_limit=Decimal(1))), code="small")
        small = "Small ¥9.00 a month · at most 1 seat"
        assert offers(english.get(url(running))) == ["Pro ¥124.00 a month · 2 seats", small]
        five = english.get(url(running, f"?price={running.price_version_id}&seats=5"))
        assert offers(five) == ["Pro ¥199.00 a month · 5 seats", small]
        unreadable = english.get(url(running, f"?price={running.price_version_id}&seats=x"))
        assert offers(unreadable) == ["Pro ¥124.00 a month · 2 seats", small]

    def test_says_what_is_wrong_with_what_was_entered(self, english, running):
        answer = english.get(url(running, "?price=999999&seats=-3"))
        assert answer.status_code == 422
        assert "Choose one from the list." in text(answer) and "Ensure this value" in text(answer)

    def test_shows_what_more_seats_cost_and_takes_exactly_that(self, english, running, customer):
        query = f"?price={running.price_version_id}&seats=5"
        page = english.get(url(running, query))
        due = re.search(r"Change now and pay (¥[\d.]+)", text(page))[1]
        assert "Given back: Seats" in text(page)
        before = left(customer)
        answer = english.post(url(running), {"seen": seen(page)}, follow=True)
        assert "It holds from now on" in text(answer)
        charge = Charge.objects.get(kind="CHANGE")
        assert due == f"¥{charge.amount.amount}"
        assert left(customer) == before - charge.amount
        assert Subscription.objects.get().seats == 5
        consent = Consent.objects.get(purpose="CHANGE")
        assert due in consent.text and consent.control == "portal:change"

    def test_schedules_less_and_takes_it_back(self, english, running, customer):
        page = english.get(url(running, f"?price={running.price_version_id}&seats=1"))
        assert "Nothing is taken now" in text(page)
        before = left(customer)
        answer = english.post(url(running), {"seen": seen(page)}, follow=True)
        assert "Until then you can take it back" in text(answer)
        assert re.search(r"From .* on: Seats: 1", text(answer))
        [change] = SubscriptionChange.objects.scheduled()
        answer = english.post(
            f"/subscriptions/{running.number}/changes/{change.pk}/revoke/", follow=True
        )
        assert "All stays as it is" in text(answer)
        assert not SubscriptionChange.objects.scheduled().exists()
        assert left(customer) == before

    def test_explains_the_charge_of_a_change(self, english, running):
        page = english.get(url(running, f"?price={running.price_version_id}&seats=5"))
        english.post(url(running), {"seen": seen(page)})
        charge = Charge.objects.get(kind="CHANGE")
        told = text(english.get(f"/charges/{charge.pk}/"))
        assert re.search(r"Given back: Seats", told)
        assert re.search(r"¥100\.00 × [\d.,]+ / [\d,]+ seconds", told)

    def test_says_what_is_missing(self, english, running, fake_gateway):
        page = english.get(url(running, dear()))
        assert re.search(r"Top up ¥\d,\d{3}\.\d\d and change", text(page))
        answer = english.post(url(running), {"seen": seen(page)}, follow=True)
        assert "Nothing was changed" in text(answer)
        assert not SubscriptionChange.objects.exists()

    def test_tops_up_exactly_that_and_changes_when_the_money_is_here(
        self, english, running, customer, fake_gateway
    ):
        page = english.get(url(running, dear()))
        sent = {"seen": seen(page), "top_up": "yes", "gateway": "sandbox"}
        answer = english.post(url(running), sent | {"request_key": "changing23456722chng"})
        topup = TopUp.objects.get()
        assert answer.url == f"/wallet/topups/{topup.number}/"
        assert f"Top up {shown(topup.amount)} and change" in text(page)
        assert "is changed by itself as soon as the money is here" in text(english.get(answer.url))
        there = f"/subscriptions/{running.number}/"
        assert "Waiting for your payment: Big, ¥9,000.00 a month" in text(english.get(there))
        at = timezone.now()
        paid(topup, at=at)
        assert waiting.go_on(at=at) == 1
        page = text(english.get(there))
        assert "Big" in page and "Waiting" not in page
        assert "Big has been changed with it." in text(english.get(answer.url))

    def test_asks_again_without_a_way_to_pay(self, english, running, fake_gateway):
        page = english.get(url(running, dear()))
        answer = english.post(url(running), {"seen": seen(page), "top_up": "yes"}, follow=True)
        assert "Choose how to pay." in text(answer) and "are missing" in text(answer)
        assert not TopUp.objects.exists()

    def test_takes_back_what_waits_for_money(self, english, running, fake_gateway):
        page = english.get(url(running, dear()))
        english.post(url(running), {"seen": seen(page), "top_up": "yes", "gateway": "sandbox"})
        there = f"/subscriptions/{running.number}/"
        answer = english.post(f"{there}waiting/revoke/", follow=True)
        assert "Taken back" in text(answer) and "Waiting for" not in text(answer)

    def test_says_why_what_waited_was_not_made(self, english, running, fake_gateway):
        page = english.get(url(running, dear()))
        english.post(url(running), {"seen": seen(page), "top_up": "yes", "gateway": "sandbox"})
        waiting.go_on(at=timezone.now() + timedelta(hours=25))
        page = english.get(f"/subscriptions/{running.number}/")
        assert "Not changed to Big" in text(page) and "The money came too late." in text(page)
        again = re.search(
            r'href="(/subscriptions/[^"]+/change/\?price=[^"]+)"', page.content.decode()
        )
        assert english.get(again[1].replace("&amp;", "&")).status_code == 200

    def test_offers_no_package_another_subscription_becomes(self, english, running, customer):
        big, cheap = (
            on_sale(terms(basic("99.00")), code="max"),
            on_sale(terms(basic("1.00")), code="mini"),
        )
        other = bought(customer, big, at=timezone.now() - timedelta(days=1))
        subscriptions.change(subscription_id=other.pk, price_version=cheap, at=timezone.now())
        page = text(english.get(url(running)))
        assert "Mini" not in page and "Max" not in page
        assert "Mini" in text(english.get(url(other)))

    @pytest.mark.parametrize("query", ["?price=999999", "?price=x", "?price=&seats=0", "?seats=-1"])
    def test_refuses_nonsense_on_the_page(self, english, running, query):
        assert english.get(url(running, query)).status_code == 422

    def test_says_that_nothing_would_change(self, english, running):
        page = english.get(url(running, f"?price={running.price_version_id}&seats=2"))
        assert page.status_code == 422
        assert "That is what you have now" in text(page)

    def test_refuses_a_preview_that_was_forged_or_is_anothers(self, english, running, customer):
        other = bought(customer, on_sale(terms(basic(), seats(1)), code="max"), at=timezone.now())
        page = english.get(url(other, f"?price={other.price_version_id}&seats=4"))
        for forged in ("", "x", seen(page)[:-2], seen(page)):
            answer = english.post(url(running), {"seen": forged}, follow=True)
            assert "once more" in text(answer)
        assert not SubscriptionChange.objects.exists()

    def test_is_not_for_viewers(self, client, running, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        assert client.get(url(running)).status_code == 403
        assert "Change plan" not in text(client.get(f"/subscriptions/{running.number}/"))

    def test_twice_is_once(self, english, running, customer):
        page = english.get(url(running, f"?price={running.price_version_id}&seats=5"))
        english.post(url(running), {"seen": seen(page)})
        before = left(customer)
        answer = english.post(url(running), {"seen": seen(page)}, follow=True)
        assert "shown too long ago" in text(answer) or "what you have now" in text(answer)
        assert left(customer) == before < cny("1000.00")
