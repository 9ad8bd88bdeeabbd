import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import customers
from accounts.models import Consent, Member
from packages import subscriptions
from packages.models import Subscription
from tests.factories import cny, fund, member_of, open_customer, owner_of
from tests.packages.buying import bought, left, on_sale
from tests.packages.reading import text
from tests.packages.shelf import basic, seats, terms

pytestmark = pytest.mark.django_db
URL = "/subscriptions/"


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "1000.00")


@pytest.fixture
def viewer(customer, client):
    client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
    return client


def running(customer, version=None, *, days_ago=3, **options) -> Subscription:
    at = timezone.now() - timedelta(days=days_ago)
    return bought(customer, version or on_sale(), at=at, **options)


def page_of(subscription: Subscription, part: str = "") -> str:
    return f"{URL}{subscription.number}/{part}"


class TestSubscriptionList:
    def test_leads_to_packages_when_there_is_none(self, english):
        page = english.get(URL)
        assert "You have no subscription" in text(page)
        assert 'href="/packages/"' in page.content.decode()

    def test_shows_what_there_is_and_what_comes_next(self, english, customer):
        running(customer, on_sale(terms(basic("99.00"), seats(1)), code="pro"), seats=3)
        running(customer, on_sale(terms(basic("10.00")), code="max"), auto_renew=False)
        page = text(english.get(URL))
        assert "Pro S2" in page and "¥149.00 a month" in page and "Renews on" in page
        assert "Max S2" in page and "then it ends" in page

    def test_shows_what_has_ended_apart(self, english, customer):
        one = running(customer, days_ago=70)
        subscriptions.cancel(subscription_id=one.pk, at=timezone.now())
        page = text(english.get(URL))
        assert "You have no subscription" in page
        assert one.number in page and "Ended on" in page

    def test_shows_nothing_of_others(self, english):
        other = running(fund(open_customer("别家"), "500.00"))
        assert other.number not in english.get(URL).content.decode()

    def test_asks_the_same_number_of_questions_however_many_there_are(
        self, english, customer, django_assert_max_num_queries
    ):
        for code in ("one", "two", "three", "four"):
            running(customer, on_sale(terms(basic("1.00"), seats(1)), code=code))
        with django_assert_max_num_queries(17):
            english.get(URL)


class TestSubscriptionDetail:
    def test_tells_what_it_is_what_it_costs_and_what_was_agreed_to(self, english, customer):
        one = running(customer, seats=3, by=owner_of(customer))
        page = text(english.get(page_of(one)))
        assert "¥149.00 a month" in page and "Renews by itself On" in page
        assert "Why this charge?" in page
        for line in Consent.objects.get().text.splitlines():
            assert line in page.replace(" :", ":")
        assert Consent.objects.get().text_sha256 in page

    def test_leads_to_each_charge(self, english, customer):
        one = running(customer)
        assert (
            f'href="/charges/{one.charges.get().pk}/"' in english.get(page_of(one)).content.decode()
        )

    def test_tells_the_charges_of_a_period_apart(self, english, customer):
        one = running(customer, on_sale(terms(basic("9.00"), seats(1))))
        for count in (2, 5):
            subscriptions.change(subscription_id=one.pk, seats=count, at=timezone.now())
        page = english.get(page_of(one)).content.decode()
        words = re.findall(r'<a href="/charges/\d+/">.*?</span>(.*?)</a>', page)
        assert len(set(words)) == 3 and words[0] == "First period ¥9.00"

    def test_shows_a_trial_that_was_never_charged(self, english, customer):
        one = running(customer, on_sale(terms(basic("99.00"), trial_days=14)), auto_renew=False)
        page = text(english.get(page_of(one)))
        assert "Trial until" in page and "Why this charge?" not in page

    def test_lets_viewers_look_and_says_who_may_act(self, viewer, customer):
        page = viewer.get(page_of(running(customer)))
        assert "Owners and finance people can change this." in text(page)
        assert "/cancel/" not in page.content.decode()

    def test_tells_frozen_customers(self, english, customer):
        one = running(customer, on_sale(terms(basic("0.00"))))
        customers.freeze(customer_id=customer.pk, reason="x", at=timezone.now(), by=None)
        assert "frozen" in text(english.get(page_of(one)))

    def test_is_not_there_for_others(self, english):
        other = running(fund(open_customer("别家"), "500.00"))
        for part in ("", "cancel/", "renew/"):
            assert english.get(page_of(other, part)).status_code == 404
            assert english.post(page_of(other, part)).status_code in (404, 405)
        other.refresh_from_db()
        assert other.cancelled_at is None


class TestCancel:
    def test_takes_two_clicks_and_no_third(self, english, customer):
        one = running(customer)
        page = english.get(page_of(one)).content.decode()
        assert f'href="{page_of(one, "cancel/")}"' in page  # the first
        question = text(english.get(page_of(one, "cancel/")))
        assert "it runs until" in question and "nothing more is charged" in question
        done = english.post(page_of(one, "cancel/"), follow=True)  # the second
        assert "Cancelled. It runs until" in text(done) and "Keep it" in text(done)
        one.refresh_from_db()
        assert (one.auto_renew, one.cancelled_by) == (False, owner_of(customer))
        assert left(customer) == cny("901.00")

    def test_twice_is_once(self, english, customer):
        one = running(customer)
        for _ in range(2):
            assert english.post(page_of(one, "cancel/")).url == page_of(one)
        assert english.get(page_of(one, "cancel/")).url == page_of(one)

    def test_ends_at_once_what_is_paid_no_more(self, english, customer):
        one = running(customer, days_ago=70)
        done = english.post(page_of(one, "cancel/"), follow=True)
        assert "It has ended; nothing more is charged." in text(done)
        assert "This subscription has ended." in text(
            english.post(page_of(one, "cancel/"), follow=True)
        )

    def test_is_not_for_viewers(self, viewer, customer):
        one = running(customer)
        assert viewer.get(page_of(one, "cancel/")).status_code == 403
        assert viewer.post(page_of(one, "cancel/")).status_code == 403


class TestRenew:
    def test_shows_the_text_and_records_it(self, english, customer):
        one = running(customer, auto_renew=False)
        page = text(english.get(page_of(one, "renew/")))
        done = english.post(page_of(one, "renew/"), follow=True)
        assert "It renews by itself from now on." in text(done)
        one.refresh_from_db()
        assert one.auto_renew
        for line in one.consent.text.splitlines():
            assert line in page.replace(" :", ":")
        assert (one.consent.control, one.consent.given_by) == (
            "portal:subscription",
            owner_of(customer),
        )

    def test_takes_a_cancellation_back(self, english, customer):
        one = running(customer)
        english.post(page_of(one, "cancel/"))
        english.post(page_of(one, "renew/"))
        one.refresh_from_db()
        assert (one.auto_renew, one.cancelled_at) == (True, None)

    def test_has_nothing_to_ask_when_it_is_on(self, english, customer):
        one = running(customer)
        assert english.get(page_of(one, "renew/")).url == page_of(one)
        english.post(page_of(one, "renew/"))
        assert Consent.objects.count() == 1

    def test_comes_too_late_after_the_end(self, english, customer):
        one = running(customer, days_ago=70)
        english.post(page_of(one, "cancel/"))
        assert "This subscription has ended." in text(
            english.post(page_of(one, "renew/"), follow=True)
        )

    def test_is_not_for_viewers(self, viewer, customer):
        one = running(customer, auto_renew=False)
        assert viewer.get(page_of(one, "renew/")).status_code == 403
        assert viewer.post(page_of(one, "renew/")).status_code == 403
