"""
Pages ask the database as often for many rows as for few.
"""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from packages import subscriptions
from tests.factories import fund, open_customer, owner_of, sign_in_staff, staff
from tests.packages.buying import bought, on_sale
from tests.packages.renewing import DAY, announced, now, swept
from tests.packages.shelf import basic, seats, terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "5000.00", at=timezone.now() - 400 * DAY)


def asked(client, url: str) -> int:
    """
    Return how many questions a page asks, its second time: what is remembered is remembered.
    """
    cache.clear()
    assert client.get(url).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def lived(customer, code: str, *, months: int):
    """
    Let a subscription by seats be renewed some months and be changed in each of them.
    """
    version = on_sale(terms(basic("9.00"), seats(1)), code=code)
    begun = timezone.now() - timedelta(days=31 * months + 3)
    one = bought(customer, version, seats=2, at=begun)
    for count in range(months):
        announced(one)
        swept(one.paid_until)
        one = now(one)
        subscriptions.change(
            subscription_id=one.pk, seats=3 + count, at=one.paid_until - timedelta(days=9)
        )
        one = now(one)
    subscriptions.change(subscription_id=one.pk, seats=2, at=one.paid_until - timedelta(days=8))
    return one


class TestPortal:
    @pytest.fixture
    def owner(self, client, customer):
        client.force_login(owner_of(customer))
        return client

    def test_list_of_subscriptions(self, owner, customer):
        def add(*codes):
            for code in codes:
                lived(customer, code, months=1)
                ended = bought(customer, on_sale(code=f"{code}-over"), at=timezone.now() - 60 * DAY)
                subscriptions.cancel(subscription_id=ended.pk, at=timezone.now())

        add("one")
        few = asked(owner, "/subscriptions/")
        add("two", "three", "four")
        assert asked(owner, "/subscriptions/") == few <= 18

    def test_page_of_a_subscription(self, owner, customer):
        young, old = lived(customer, "young", months=1), lived(customer, "old", months=5)
        few = asked(owner, f"/subscriptions/{young.number}/")
        assert asked(owner, f"/subscriptions/{old.number}/") == few <= 26

    def test_list_of_charges(self, owner, customer):
        lived(customer, "one", months=1)
        few = asked(owner, "/charges/")
        for code in ("two", "three", "four"):
            lived(customer, code, months=2)
        assert asked(owner, "/charges/") == few <= 14

    def test_comparison_of_packages(self, owner, customer):
        lived(customer, "one", months=1)
        few = asked(owner, "/packages/")
        for code in ("two", "three", "four"):
            lived(customer, code, months=1)
        assert asked(owner, "/packages/") == few


class TestAdmin:
    @pytest.fixture
    def clerk(self, client):
        return sign_in_staff(client, staff("ADMIN"))

    @pytest.mark.parametrize("model", ["subscription", "charge", "notice", "pricequote"])
    def test_lists(self, clerk, customer, model):
        lived(customer, "one", months=2)
        few = asked(clerk, f"/admin/packages/{model}/")
        for code in ("two", "three", "four"):
            lived(
                fund(open_customer(code), "900.00", at=timezone.now() - 400 * DAY), code, months=2
            )
        assert asked(clerk, f"/admin/packages/{model}/") == few <= 20

    def test_page_of_a_subscription(self, clerk, customer):
        young, old = lived(customer, "young", months=1), lived(customer, "old", months=5)
        few = asked(clerk, f"/admin/packages/subscription/{young.pk}/change/")
        assert asked(clerk, f"/admin/packages/subscription/{old.pk}/change/") == few <= 30

    def test_subscriptions_of_a_customer(self, clerk, customer):
        lived(customer, "one", months=1)
        url = f"/admin/accounts/customer/{customer.pk}/change/?tab=subscriptions"
        few = asked(clerk, url)
        for code in ("two", "three", "four"):
            lived(customer, code, months=1)
        assert asked(clerk, url) == few
