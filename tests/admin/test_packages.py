"""
Packages and prices through the pages: looked at, published, repriced, retired.
"""

import html
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.roles import SUPPORT
from packages.models import Package, PriceVersion
from tests.factories import cny, open_customer, sign_in_staff, staff
from tests.packages.shelf import (
    basic,
    calls,
    drafted,
    feature,
    fee,
    offer,
    once,
    published,
    repriced,
    seats,
    terms,
)

pytestmark = pytest.mark.django_db


def url(name: str, row) -> str:
    return reverse(f"admin:packages_{row._meta.model_name}_{name}", args=[row.pk])


def text(response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def whole():
    return terms(
        basic(),
        seats(3, hard_limit=Decimal(50)),
        calls(model="PACKAGE", package_size=Decimal(1000)),
        fee(least=cny("0.10")),
        once(),
        feature(),
        trial_days=14,
    )


def entered_at(client, address: str, **changes: str) -> dict[str, str]:
    """
    Return what the form of a page begins with, changed.
    """
    form = client.get(address).context["form"]
    begins = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {name: "" if value is None else str(value) for name, value in begins.items()} | changes


def entered(client, version: PriceVersion, **changes: str) -> dict[str, str]:
    """
    Return what the form of a new price begins with, changed.
    """
    return entered_at(client, url("reprice", version), **changes)


def publish(client, package: Package):
    """
    Look at a draft and publish what was seen.
    """
    address = url("publish", package)
    return client.post(address, entered_at(client, address))


class TestPages:
    def test_show_what_a_price_is_made_of(self, client, admin):
        package = published(whole())
        page = text(client.get(url("change", package.prices.get())))
        for words in ("¥99.00 a month", "11 +: ¥20.00 each + ¥5.00", "0.6 % of each transaction"):
            assert words in page, words
        page = text(client.get(url("change", package)))
        assert "Pro" in page and "pro v1" in page and "everybody" in page

    def test_show_a_top_ups_promise(self, client, admin):
        package = published(offer(), kind="TOP_UP")
        page = text(client.get(url("change", package.prices.get())))
        assert "¥1,000.00" in page and "¥50.00" in page and "90" in page

    def test_offer_acts_to_administrators_alone(self, client):
        package = published(at=timezone.now())
        sign_in_staff(client, staff(SUPPORT, locale="en"))
        page = client.get(url("change", package.prices.get())).content.decode()
        assert "reprice" not in page and f"{package.pk}/retire" not in page


class TestPublish:
    def test_shows_the_prices_first_and_puts_them_on_sale(self, client, admin):
        package = drafted()
        assert "¥99.00" in text(client.get(url("publish", package)))
        publish(client, package)
        package.refresh_from_db()
        assert (package.state, package.published_by) == (Package.State.PUBLISHED, admin)

    def test_says_why_not(self, client, admin):
        package = published()
        answer = publish(client, package)
        assert answer.status_code == 422 and "published before" in text(answer)

    def test_says_that_nothing_counts_what_it_charges_for(self, client, admin):
        package = drafted(terms(basic(), calls()))
        answer = publish(client, package)
        assert answer.status_code == 422 and "No meter counts “api_calls”" in text(answer)


class TestRetire:
    def test_tells_who_would_miss_it_first(self, client, admin):
        open_customer()
        package = published(at=timezone.now() - timedelta(days=1))
        page = text(client.get(url("retire", package)))
        assert "active customers who see it on their page of packages 1" in page
        client.post(url("retire", package))
        package.refresh_from_db()
        assert package.state == Package.State.RETIRED


class TestEnd:
    def test_ends_the_sale_of_a_price_now(self, client, admin):
        version = published(at=timezone.now() - timedelta(days=1)).prices.get()
        client.post(url("end", version), {"valid_to": ""})
        version.refresh_from_db()
        assert version.valid_to and version.closed_by == admin

    def test_refuses_the_past_at_its_field(self, client, admin):
        version = published(at=timezone.now() - timedelta(days=1)).prices.get()
        answer = client.post(url("end", version), {"valid_to": "2020-01-01T00:00"})
        assert answer.status_code == 422 and "valid_to" in answer.context["form"].errors


class TestReprice:
    @pytest.fixture
    def version(self):
        return published(whole(), at=timezone.now() - timedelta(days=1)).prices.get()

    def test_looks_first_and_publishes_what_was_seen(self, client, admin, version):
        open_customer()
        asked = entered(client, version, c0_amount="109.00")
        look = client.post(url("reprice", version), asked)
        page = text(look)
        assert PriceVersion.objects.count() == 1
        assert "¥109.00 a month" in page and "active customers who see the new price 1" in page
        seen = look.context["form"].data["seen"]
        client.post(url("reprice", version), asked | {"seen": seen})
        new = PriceVersion.objects.whole().get(number=2)
        assert new.terms.fixed == cny("109.00") and new.published_by == admin
        assert new.terms.components[1:] == version.terms.components[1:]

    def test_looks_again_when_something_has_changed_since(self, client, admin, version):
        asked = entered(client, version, c0_amount="109.00")
        seen = client.post(url("reprice", version), asked).context["form"].data["seen"]
        client.post(url("reprice", version), asked | {"seen": seen, "c0_amount": "0.00"})
        assert PriceVersion.objects.count() == 1

    def test_looks_again_when_another_price_would_be_followed(self, client, admin, version):
        asked = entered(client, version, c0_amount="109.00")
        seen = client.post(url("reprice", version), asked).context["form"].data["seen"]
        repriced(version.package, terms(basic("79.00")), at=timezone.now())
        look = client.post(url("reprice", version), asked | {"seen": seen})
        assert PriceVersion.objects.count() == 2 and "pro v2" in text(look)
        seen = look.context["form"].data["seen"]
        answer = client.post(url("reprice", version), asked | {"seen": seen})
        assert answer.url == url("change", PriceVersion.objects.get(number=3))

    def test_takes_every_number(self, client, admin, version):
        asked = entered(
            client,
            version,
            c0_amount="0",
            c1_tiers="5 30\n\n* 12.5 3",
            c1_included="1",
            c1_hard_limit="",
            c3_percent="0.38",
            c3_most="25.00",
            trial_days="0",
        )
        look = client.post(url("reprice", version), asked)
        client.post(url("reprice", version), asked | {"seen": look.context["form"].data["seen"]})
        new = PriceVersion.objects.whole().get(number=2).terms
        base, places, _calls, share, *_rest = new.components
        assert base.amount == cny("0.00") and new.trial_days == 0
        assert places.tiers == (
            {"up_to": "5", "unit_price": "30"},
            {"up_to": None, "unit_price": "12.5", "flat_price": "3"},
        )
        assert (places.included, places.hard_limit) == (1, None)
        assert (share.bps, share.least, share.most) == (38, cny("0.10"), cny("25.00"))

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"c0_amount": "x"}, "c0_amount"),
            ({"c0_amount": ""}, "c0_amount"),
            ({"c0_amount": "-1"}, "c0_amount"),
            ({"c1_tiers": "10 25 1 1"}, "c1_tiers"),
            ({"c1_tiers": "10 25"}, "c1_tiers"),
            ({"c1_tiers": "* abc"}, "c1_tiers"),
            ({"c1_hard_limit": "1"}, "c1_tiers"),
            ({"c3_percent": "100.01"}, "c3_percent"),
            ({"customer": "C99999999"}, "customer"),
            ({"valid_from": "2020-01-01T00:00"}, "valid_from"),
            ({"valid_from": "9999-12-31T23:59"}, "valid_from"),
            ({}, "__all__"),
        ],
    )
    def test_refuses_nonsense_at_its_field(self, client, admin, version, changes, field):
        answer = client.post(url("reprice", version), entered(client, version, **changes))
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert PriceVersion.objects.count() == 1

    def test_makes_a_price_for_one_customer(self, client, admin, version):
        customer = open_customer()
        asked = entered(client, version, c0_amount="79.00", customer=customer.number.lower())
        look = client.post(url("reprice", version), asked)
        assert customer.name in text(look)
        client.post(url("reprice", version), asked | {"seen": look.context["form"].data["seen"]})
        own = PriceVersion.objects.get(customer=customer)
        assert own.number == 2
        assert entered(client, own)["customer"] == customer.number
        version.refresh_from_db()
        assert version.valid_to is None

    def test_changes_a_top_ups_promise(self, client, admin):
        version = published(offer(), kind="TOP_UP", at=timezone.now()).prices.get()
        asked = entered(client, version, bonus="80.00", bonus_days="")
        look = client.post(url("reprice", version), asked)
        client.post(url("reprice", version), asked | {"seen": look.context["form"].data["seen"]})
        assert PriceVersion.objects.whole().get(number=2).terms == offer(bonus="80.00", days=None)

    def test_is_not_offered_for_what_is_retired_or_a_draft(self, client, admin):
        version = drafted().prices.get()
        assert "/reprice/" not in client.get(url("change", version)).content.decode()
        answer = client.post(url("reprice", version), entered(client, version, c0_amount="1"))
        assert answer.status_code == 422

    def test_follows_an_own_price(self, client, admin, version):
        customer = open_customer()
        own = repriced(version.package, terms(basic("79.00")), at=timezone.now(), customer=customer)
        asked = entered(client, own, c0_amount="69.00")
        look = client.post(url("reprice", own), asked)
        assert "the customer the price is for 1" in text(look)
