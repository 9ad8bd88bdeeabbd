"""
Trials: for what is new to a customer, and how one goes on.
"""

import pytest
from django.utils import timezone
from django.utils.translation import override

from accounts.models import Member
from packages import beginnings, subscriptions
from packages.models import PriceVersion
from packages.renewals import RenewalReport
from packages.terms import Component
from tests.factories import cny, fund, funded_customer, member_of, open_customer
from tests.packages.becoming import changed
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.reading import text
from tests.packages.renewing import announced, now, swept
from tests.packages.shelf import basic, once, repriced, seats, terms

pytestmark = pytest.mark.django_db

SECOND, FIFTH, SIXTH = (shanghai(2025, 3, day) for day in (2, 5, 6))


def tried(amount: str, code: str, *parts: Component, days: int = 14) -> PriceVersion:
    return on_sale(terms(basic(amount), *parts, trial_days=days), code=code)


def begins_with_trial(customer, version: PriceVersion) -> bool:
    return beginnings.first(
        customer=customer, price_version=version, seats=1, at=shanghai(2025, 6, 1)
    ).has_trial


class TestChange:
    def test_goes_on_trying_what_has_a_trial_too(self):
        small, big = tried("99.00", "small"), tried("400.00", "big", once("500.00"))
        customer = funded_customer("1000.00")
        subscription = bought(customer, small, at=SECOND)
        made = changed(subscription, big, at=FIFTH)
        assert made.applied_at and left(customer) == cny("1000.00")
        assert "¥500.00" in made.consent.text
        announced(now(subscription))
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        assert left(customer) == cny("100.00")

    @pytest.mark.parametrize("days", [0, 14])
    def test_to_what_is_not_tried_waits_for_the_end_of_the_trial(self, days):
        small, big = tried("99.00", "small"), tried("400.00", "big", once("500.00"), days=days)
        customer = funded_customer("2000.00")
        if days:  # tried before
            swept(bought(customer, big, auto_renew=False).paid_until)
        subscription = bought(customer, small, at=shanghai(2025, 3, 16))
        made = changed(subscription, big, at=shanghai(2025, 3, 18))
        assert made.applied_at is None
        assert now(subscription).package.code == "small"
        announced(now(subscription))
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        assert (now(subscription).package.code, left(customer)) == ("big", cny("1100.00"))

    def test_goes_back_to_the_package_it_began_with(self):
        small, big = tried("99.00", "small"), tried("400.00", "big")
        subscription = bought(funded_customer("1000.00"), small, at=SECOND)
        changed(subscription, big, at=FIFTH)
        assert changed(subscription, small, at=SIXTH).applied_at
        assert now(subscription).package.code == "small"

    def test_a_trial_left_for_another_package_is_not_offered_again(self):
        small, big = tried("99.00", "small"), tried("400.00", "big")
        customer = funded_customer("1000.00")
        subscription = bought(customer, small, at=SECOND)
        changed(subscription, big, at=FIFTH)
        again = bought(customer, small, at=SIXTH)
        assert (again.state, left(customer)) == ("ACTIVE", cny("901.00"))

    def test_of_seats_tells_what_follows_the_trial(self):
        small = on_sale(terms(basic("99.00"), seats(1), trial_days=14), code="small")
        big = on_sale(terms(basic("400.00"), seats(1), once("50.00")), code="big")
        customer = funded_customer("1000.00")
        subscription = bought(customer, small, at=SECOND)
        changed(subscription, big, at=FIFTH)
        with override("en"):
            text = changed(now(subscription), count=3, at=SIXTH).consent.text
        assert "When the term ends it becomes Big, as is scheduled." in text
        assert "It renews by itself for ¥450.00 a month until I stop it." in text
        assert "With the first of these terms ¥50.00 is paid, once." in text
        announced(now(subscription))
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        assert left(customer) == cny("500.00")

    def test_keeps_its_last_day_and_says_so(self):
        small, big = tried("99.00", "small"), tried("400.00", "big", days=30)
        subscription = bought(funded_customer("1000.00"), small, at=SECOND, auto_renew=False)
        changed(subscription, big, at=FIFTH)
        with override("en"):
            agreed = subscriptions.renewal_agreement(now(subscription))
        assert "After the trial, which ends on March 15, 2025, and then each month" in agreed
        assert "30 days are a trial" not in agreed


class TestIsForWhatIsNew:
    def test_not_for_what_was_paid_and_left(self):
        paid, big = on_sale(code="small"), on_sale(terms(basic("400.00")), code="big")
        customer = funded_customer("1000.00")
        changed(bought(customer, paid, at=SECOND), big, at=FIFTH)
        again = repriced(paid.package, terms(basic("99.00"), trial_days=14))
        assert not begins_with_trial(customer, again)
        assert begins_with_trial(funded_customer(), again)

    def test_not_for_any_package_a_trial_went_through(self):
        first, second, third = (tried("99.00", code) for code in ("first", "second", "third"))
        customer = funded_customer("1000.00")
        subscription = bought(customer, first, at=SECOND)
        changed(subscription, second, at=FIFTH)
        assert begins_with_trial(customer, third)
        changed(subscription, third, at=SIXTH)
        assert not any(begins_with_trial(customer, one) for one in (first, second, third))


class TestPages:
    @pytest.fixture
    def customer(self):
        return fund(open_customer(locale="en"), "500.00")

    @pytest.fixture(autouse=True)
    def pro(self, customer):
        had = on_sale(terms(basic("99.00"), trial_days=14))
        subscription = bought(customer, had, at=timezone.now())
        subscriptions.cancel(subscription_id=subscription.pk, at=timezone.now())
        swept(subscription.paid_until)
        return had

    def test_promise_no_trial_to_who_has_had_it(self, english):
        page = text(english.get("/packages/pro/"))
        assert "When you begin, and then each month on the same day" in page
        assert "trial" not in page.lower()
        assert "Trial" not in text(english.get("/packages/"))

    def test_promise_it_to_others(self, client):
        client.force_login(member_of(open_customer(), Member.Role.OWNER, locale="en"))
        assert "The first 14 days are a trial" in text(client.get("/packages/pro/"))
        assert "Trial 14 days" in text(client.get("/packages/"))
