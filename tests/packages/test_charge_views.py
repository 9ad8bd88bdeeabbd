import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Consent, Member
from packages import charges, disputes, subscriptions
from packages.models import Charge
from packages.views import charges as views
from tests.factories import cny, fund, member_of, open_customer, owner_of
from tests.packages.buying import bought, on_sale
from tests.packages.reading import text
from tests.packages.shelf import basic, repriced, seats, terms
from wallet import ledger, spending

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "200.00", bonus="30.00", at=timezone.now())


@pytest.fixture
def charge(customer):
    price = on_sale(terms(basic("99.00"), seats(1)))
    bought(customer, price, seats=3, at=timezone.now(), by=owner_of(customer))
    return Charge.objects.get()


def page_of(charge: Charge) -> str:
    return f"/charges/{charge.pk}/"


class TestChargeList:
    def test_lists_what_was_charged_the_latest_first(self, english, charge):
        changed = subscriptions.change(
            subscription_id=charge.subscription_id, seats=5, at=timezone.now()
        )
        page = english.get("/charges/")
        first, second = page.context["charges"]
        assert (first.kind, second) == ("CHANGE", charge) and changed
        assert page_of(first) in page.content.decode()
        assert "First period Pro · period 1" in text(page) and "¥149.00" in text(page)

    def test_lists_those_of_a_subscription_or_kind(self, english, charge):
        for query, count in (
            (f"subscription={charge.subscription.number}", 1),
            ("kind=FIRST", 1),
            ("kind=RENEWAL", 0),
        ):
            page = english.get(f"/charges/?{query}")
            assert len(page.context["charges"]) == count, query
        assert "No charge fits these filters." in text(page)

    def test_says_that_a_filter_is_nonsense_and_lists_nothing(self, english, charge):
        for query in ("kind=NONE", "subscription=S20250101XXXXXXXX"):
            page = english.get(f"/charges/?{query}")
            assert "This filter cannot be read" in text(page) and "¥149.00" not in text(page)
            assert "Choose one from the list." in text(page)

    def test_marks_what_is_disputed_or_undone(self, english, charge, customer):
        disputes.dispute(
            charge_id=charge.pk, words="Why?", at=timezone.now(), by=owner_of(customer)
        )
        assert "Disputed" in text(english.get("/charges/"))
        ledger.reverse(entry_id=charge.entry_id, reason="x", occurred_at=timezone.now())
        assert "Undone" in text(english.get("/charges/"))

    def test_leads_to_the_packages_while_there_is_none(self, english):
        page = text(english.get("/charges/"))
        assert "Nothing has been charged yet" in page and "All kinds" not in page

    def test_shows_nobody_elses(self, client, charge):
        client.force_login(owner_of(open_customer("别家")))
        assert client.get("/charges/").context["charges"] == []

    def test_goes_on_page_by_page(self, english, charge, monkeypatch):
        monkeypatch.setattr(views, "PAGE", 1)
        subscriptions.change(subscription_id=charge.subscription_id, seats=5, at=timezone.now())
        newest = english.get("/charges/?kind=")
        older = english.get("/charges/" + newest.context["older"])
        assert older.context["charges"] == [charge] and older.context["newer"] == "?page=1"
        assert "2 charges" in text(older)


@pytest.mark.parametrize("url", ["/charges/", "/advice/", "/subscriptions/"])
def test_the_menu_marks_where_one_is(english, url):
    page = english.get(url).content.decode()
    top, _rest, tabs = page.partition("<main")
    marked = re.findall(r'href="([^"]+)" aria-current="page"', top)
    assert marked == ["/subscriptions/"]
    assert re.findall(r'href="([^"]+)" aria-current="page"', tabs) == [url]
    assert ("is-here" in tabs) is (url != "/subscriptions/")


class TestChargeDetail:
    def test_shows_lines_that_recompute_the_amount(self, english, charge):
        page = text(english.get(page_of(charge)))
        assert "Basic price" in page and "¥99.00" in page
        assert "3 seats, of them 1 seats included: 2 seats to pay" in page
        assert "1 – 10: 2 × ¥25.00 = ¥50.00" in page
        assert "Sum of the lines ¥149.00" in page
        assert charges.recompute(charge.lines, charge.currency) == charge.amount

    def test_tells_which_credit_was_used_and_what_was_left(self, english, charge):
        page = text(english.get(page_of(charge)))
        assert "Bonus" in page and "¥30.00 taken" in page and "¥119.00 taken" in page
        assert "Balance afterwards ¥81.00" in page

    def test_tells_who_agreed_to_what_and_when(self, english, charge, customer):
        page = text(english.get(page_of(charge)))
        consent = Consent.objects.get()
        assert consent.text_sha256 in page and str(owner_of(customer)) in page
        for line in consent.text.splitlines():
            assert line in page.replace(" :", ":")
        assert "By You" in page

    def test_tells_package_version_and_period(self, english, charge):
        page = text(english.get(page_of(charge)))
        assert "no. 1, valid from 2025-03-01" in page
        assert charge.subscription.number in page and "Period no. 1:" in page

    def test_stays_as_it_was_when_the_price_changes(self, english, charge):
        before = text(english.get(page_of(charge))).partition("Sum of the lines")[0]
        package = charge.price_version.package
        repriced(package, terms(basic("500.00")), at=timezone.now() + timedelta(seconds=1))
        assert text(english.get(page_of(charge))).partition("Sum of the lines")[0] == before

    def test_says_when_it_was_undone(self, english, charge):
        ledger.reverse(entry_id=charge.entry_id, reason="x", occurred_at=timezone.now())
        assert "This charge was undone later" in text(english.get(page_of(charge)))

    def test_can_be_printed(self, english, charge):
        assert "data-print" in english.get(page_of(charge)).content.decode()

    def test_is_for_viewers_too_but_not_for_others(self, client, charge, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.get(page_of(charge)).status_code == 200
        client.force_login(owner_of(open_customer("别家")))
        assert client.get(page_of(charge)).status_code == 404

    def test_is_led_to_from_its_entry_and_only_from_there(self, english, charge, customer):
        page = english.get(f"/wallet/activity/{charge.entry_id}/").content.decode()
        assert page_of(charge) in page and "Why this charge?" in page
        plain = spending.spend(
            customer=customer,
            amount=cny("1.00"),
            reference="x",
            description="x",
            at=timezone.now(),
        )
        assert (
            "Why this charge?" not in english.get(f"/wallet/activity/{plain.pk}/").content.decode()
        )
