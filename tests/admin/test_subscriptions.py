from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from packages import pausing, subscriptions
from packages.models import Charge, PriceQuote, Subscription
from packages.periods import day_in
from tests.admin import world
from tests.admin.world import signed_in
from tests.factories import funded_customer
from tests.packages.buying import bought, on_sale
from tests.packages.renewing import DAY, announced, swept
from tests.packages.shelf import basic, seats, terms

pytestmark = pytest.mark.django_db


def page_of(row, what: str = "change") -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_{what}"
    return reverse(name, args=[row.pk])


def shown(client, url: str, **query) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def english():
    client = signed_in("SUPPORT")
    world.User.objects.filter(pk=client.session["_auth_user_id"]).update(locale="en")
    return client


@pytest.fixture
def subscription():
    price = on_sale(terms(basic("99.00"), seats(1)))
    customer = funded_customer("1000.00", name="Aurora Ltd")
    return bought(customer, price, seats=3, at=timezone.now() - timedelta(days=3))


class TestSubscriptions:
    def test_are_found_by_number_and_customer_and_filtered_by_state(self, english, subscription):
        url = reverse("admin:packages_subscription_changelist")
        other = bought(funded_customer("1000.00"), subscription.price_version)
        for asked in (subscription.number, subscription.customer.number, "Aurora"):
            page = shown(english, url, q=asked)
            assert subscription.number in page and other.number not in page
        assert subscription.number in shown(english, url, state__exact="ACTIVE")
        assert subscription.number not in shown(english, url, state__exact="ENDED")

    def test_page_tells_periods_and_charges(self, english, subscription):
        page = shown(english, page_of(subscription))
        charge = Charge.objects.get()
        assert page_of(charge) in page and "¥149.00 a month" in page
        assert "Aurora Ltd" in page

    def test_stand_on_the_customers_page(self, english, subscription):
        page = shown(english, page_of(subscription.customer), tab="subscriptions")
        assert page_of(subscription) in page and "¥149.00 a month" in page


class TestLastDay:
    """
    A term that ends with the midnight after the last of March.
    """

    def test_is_what_the_customer_reads(self, english):
        one = bought(funded_customer("1000.00"), on_sale(terms(basic("99.00"))))
        assert day_in(one.paid_until, one.zone).isoformat() == "2025-04-01"
        changelist = reverse("admin:packages_subscription_changelist")
        for page in (
            shown(english, page_of(one)).split("What happened to it")[0],
            shown(english, page_of(one.customer), tab="subscriptions"),
            shown(english, changelist),
        ):
            assert "March 31, 2025" in page and "2025-04-01" not in page

    def test_of_a_trial_is_not_said_to_be_paid(self, english):
        price = on_sale(terms(basic("99.00"), trial_days=14))
        page = shown(english, page_of(bought(funded_customer("1000.00"), price)))
        assert "Last day of the trial" in page and "Last day paid for" not in page
        assert "March 14, 2025" in page


class TestCancel:
    def test_asks_for_a_fresh_proof_before_it_is_cancelled(self, subscription):
        url, browser = page_of(subscription, "cancel"), signed_in("SUPPORT", recently=False)
        for answer in (browser.get(url), browser.post(url)):
            assert "reauthenticate" in answer.url
        subscription.refresh_from_db()
        assert subscription.cancelled_at is None

    def test_asks_then_cancels_for_the_customer(self, english, subscription):
        url = page_of(subscription, "cancel")
        assert url in shown(english, page_of(subscription))
        assert "renews no more" in shown(english, url)
        answer = english.post(url, follow=True)
        assert "It runs until" in answer.content.decode()
        subscription.refresh_from_db()
        assert (subscription.auto_renew, subscription.cancelled_by.is_staff) == (False, True)
        assert url not in shown(english, page_of(subscription))

    def test_says_so_when_it_is_over(self, english):
        old = bought(at=timezone.now() - timedelta(days=70))
        assert "It has ended." in english.post(page_of(old, "cancel"), follow=True).content.decode()
        again = english.post(page_of(old, "cancel"))
        assert again.status_code == 422
        assert "This subscription has ended." in again.content.decode()


class TestCharges:
    def test_page_works_the_amount_out(self, english, subscription):
        page = shown(english, page_of(Charge.objects.get()))
        assert "2 × ¥25.00 = ¥50.00" in page and "¥149.00" in page
        assert "The lines come to ¥149.00." in page and subscription.number in page

    def test_are_found_by_the_reference_of_their_entry(self, english, subscription):
        url = reverse("admin:packages_charge_changelist")
        charge = Charge.objects.get()
        assert page_of(charge) in shown(english, url, q=charge.entry.reference)
        assert page_of(charge) not in shown(english, url, q="subscription:0:2025-01-01")


class TestQuotesAndConsents:
    def test_lead_to_what_became_of_them(self, english, fake_gateway):
        made = world.make(fake_gateway)
        quote, one = made.row(PriceQuote), made.row(Subscription)
        page = shown(english, page_of(quote))
        assert page_of(one) in page and page_of(quote.consent) in page
        told = shown(english, page_of(quote.consent))
        assert quote.consent.text_sha256 in told
        assert quote.consent.text.splitlines()[0] in told


class TestStanding:
    def test_tells_every_step_of_what_is_unpaid(self, english):
        customer = funded_customer("99.00", name="Late Ltd")
        one = announced(bought(customer, on_sale(code="late")))
        swept(one.paid_until)
        swept(one.paid_until + 7 * DAY)
        page = shown(english, page_of(one))
        assert "What has happened, and what comes" in page and "Missing in the wallet now" in page
        assert "From now on you can read, but change nothing." in page
        assert "It ends. Your data are kept until" in page

    def test_tells_pauses_and_changes(self, english, subscription):
        at = timezone.now()
        subscriptions.change(subscription_id=subscription.pk, seats=2, at=at)
        day = pausing.choices(subscription)[0]
        pausing.pause(subscription_id=subscription.pk, until=day, at=at)
        page = shown(english, page_of(subscription))
        assert "Pauses" in page and "Changes" in page and page.count("Scheduled") >= 2
        pausing.revoke(subscription_id=subscription.pk, at=at)
        assert "Taken back" in shown(english, page_of(subscription))
