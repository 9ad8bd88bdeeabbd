"""
What a customer holds beside what may begin.
"""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import Member
from packages import checkout, subscriptions
from packages.beginnings import UseCounted, in_the_way
from packages.models import Subscription
from tests.factories import fund, funded_customer, member_of, open_customer
from tests.packages.becoming import MARCH_11, changed
from tests.packages.buying import MARCH_FIRST, bought, on_sale
from tests.packages.reading import text
from tests.packages.shelf import basic, calls, fee, repriced, seats, terms
from tests.packages.using import MARCH_10, without_the_rule
from tests.wallet.racing import prove, race

pytestmark = pytest.mark.django_db


def small():
    return on_sale(terms(basic("99.00"), calls()), code="small")


def big():
    return on_sale(terms(basic("900.00"), calls(100_000)), code="big")


class TestRequireNew:
    def test_refuses_what_charges_for_use_that_another_package_counts(self):
        customer = funded_customer("2000.00")
        held, other = bought(customer, small()), big()
        for buy in (
            lambda: bought(customer, other),
            lambda: checkout.quote(customer=customer, price_version=other, at=MARCH_11),
        ):
            with pytest.raises(UseCounted) as refusal:
                buy()
            assert refusal.value.data["number"] == held.number
        with translation.override("en"):
            said = str(in_the_way(customer, other))
        assert said.startswith("Your package Small counts this already: API calls.")
        assert Subscription.objects.count() == 1

    def test_refuses_an_old_quote_too(self):
        customer, other = funded_customer("2000.00"), big()
        old = checkout.quote(customer=customer, price_version=other, at=MARCH_FIRST)
        bought(customer, small())
        with pytest.raises(UseCounted):
            checkout.accept(quote_id=old.pk, auto_renew=True, at=MARCH_FIRST + timedelta(hours=1))

    def test_refuses_a_share_of_the_same_transactions(self):
        customer = funded_customer("2000.00")
        bought(customer, on_sale(terms(basic(), fee()), code="small"))
        with pytest.raises(UseCounted):
            bought(customer, on_sale(terms(basic("10.00"), fee(bps=30)), code="big"))

    def test_allows_what_counts_other_use_and_sells_more_seats(self):
        customer = funded_customer("2000.00")
        bought(customer, on_sale(terms(basic(), calls(), seats(1)), code="small"))
        sms = calls(0, code="sms", name="短信", name_en="SMS")
        bought(customer, on_sale(terms(basic("10.00"), sms, seats(1)), code="sms"))
        assert Subscription.objects.live().count() == 2

    def test_allows_it_when_the_other_has_ended(self):
        customer = funded_customer("2000.00")
        held = bought(customer, small())
        subscriptions.cancel(subscription_id=held.pk, at=held.paid_until)
        assert bought(customer, big(), at=held.paid_until).is_live

    def test_refuses_what_another_one_will_count_when_its_term_ends(self):
        customer = funded_customer("2000.00")
        held = bought(customer, on_sale(terms(basic("500.00")), code="plain"))
        changed(held, small())
        with pytest.raises(UseCounted):
            bought(customer, big(), at=MARCH_11)

    def test_refuses_a_change_to_what_another_one_counts(self):
        customer = funded_customer("2000.00")
        held = bought(customer, small())
        plain = bought(customer, on_sale(terms(basic("9.00")), code="plain"))
        with pytest.raises(UseCounted) as refusal:
            changed(plain, big())
        assert refusal.value.data["number"] == held.number

    def test_allows_the_one_that_counts_to_change(self):
        customer = funded_customer("2000.00")
        held = bought(customer, small())
        assert changed(held, big()).applied_at == MARCH_11

    def test_refuses_a_newer_price_of_the_package_that_counts_more(self):
        customer = funded_customer("2000.00")
        bought(customer, small())
        plain = bought(customer, on_sale(terms(basic("9.00")), code="plain"))
        newer = repriced(plain.package, terms(basic("10.00"), calls()), at=MARCH_10)
        with pytest.raises(UseCounted):
            changed(plain, newer)

    def test_leaves_alone_what_was_held_before_the_rule(self, monkeypatch):
        customer = funded_customer("2000.00")
        bought(customer, small())
        other = big()
        with monkeypatch.context() as before:
            without_the_rule(before)
            second = bought(customer, other)
        yearly = terms(basic("9000.00"), calls(100_000), interval="year")
        repriced(second.package, yearly, at=MARCH_FIRST)
        fund(customer, "9000.00", at=MARCH_FIRST)
        newer = second.package.prices.get(interval="year")
        assert changed(second, newer).to_version == newer


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "2000.00")


def change_of(held: Subscription) -> str:
    return reverse("packages:change", args=[held.number])


class TestPages:
    SAID = "Your package Small counts this already: API calls."

    def test_of_the_package_offer_to_change_instead(self, english, customer):
        held = bought(customer, small(), at=timezone.now())
        big()
        shown = english.get("/packages/big/")
        assert self.SAID in text(shown) and change_of(held) in shown.content.decode()
        assert 'action="/packages/big/subscribe/"' not in shown.content.decode()
        answer = english.post("/packages/big/subscribe/", {"term": "month"}, follow=True)
        assert answer.redirect_chain[-1][0].startswith("/packages/big/")
        assert self.SAID in text(answer)

    def test_of_the_package_lead_viewers_to_the_subscription(self, client, customer):
        held = bought(customer, small(), at=timezone.now())
        big()
        viewer = member_of(customer, Member.Role.VIEWER)
        viewer.locale = "en"
        viewer.save()
        client.force_login(viewer)
        shown = client.get("/packages/big/")
        assert self.SAID in text(shown) and change_of(held) not in shown.content.decode()

    def test_of_an_old_quote_offer_it_too(self, english, customer):
        old = checkout.quote(customer=customer, price_version=big(), at=timezone.now())
        held = bought(customer, small(), at=timezone.now())
        page = reverse("packages:quote", args=[old.code])
        for answer in (english.get(page), english.post(page, {})):
            assert self.SAID in text(answer) and change_of(held) in answer.content.decode()
        assert Subscription.objects.count() == 1

    def test_of_a_change_say_it_before_it_is_agreed_to(self, english, customer):
        bought(customer, small(), at=timezone.now())
        plain = bought(customer, on_sale(terms(basic("9.00")), code="plain"), at=timezone.now())
        other = big()
        shown = english.get(f"{change_of(plain)}?price={other.pk}")
        assert shown.status_code == 422
        assert self.SAID in text(shown) and "What you agree to" not in text(shown)


@pytest.mark.django_db(transaction=True)
def test_of_two_bought_at_once_one_begins():
    customer, one, other = funded_customer("2000.00"), small(), big()
    result = race([lambda version=version: bought(customer, version) for version in (one, other)])
    assert (len(result.won), result.refused) == (1, {"use_counted"})
    prove()
