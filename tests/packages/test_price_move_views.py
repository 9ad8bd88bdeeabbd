from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Member
from packages import price_moves
from packages.models import PriceAnnouncement, PriceMove
from tests.factories import cny, fund, member_of, open_customer, owner_of
from tests.packages.buying import bought, on_sale
from tests.packages.moving import CHEAPER, DEARER, moved
from tests.packages.reading import text
from tests.packages.shelf import basic, terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "1000.00")


def told_of(customer, new=DEARER, *, days=31):
    """
    Return a yearly subscription whose customer was told of another price just now.
    """
    at = timezone.now()
    old = on_sale(terms(basic("99.00"), interval="year"))
    one = bought(customer, old, at=at - timedelta(days=1))
    moved(old, terms(*new.components, interval="year"), at=at, holds_from=at + timedelta(days=days))
    return one


def seen(browser, one) -> str:
    return browser.get(f"/subscriptions/{one.number}/price/").context["agreement"].digest


def agree(browser, one, **said):
    said = said or {"read": seen(browser, one)}
    return browser.post(f"/subscriptions/{one.number}/price/", said, follow=True)


class TestPage:
    def test_shows_both_prices_and_what_is_agreed_to(self, customer, english):
        one = told_of(customer)
        shown = text(english.get(f"/subscriptions/{one.number}/price/"))
        for words in ("99.00 a year", "129.00 a year", "Our servers cost more", "Basic price"):
            assert words in shown
        assert "If you do not agree, you need do nothing" in shown

    def test_posted_agrees_and_says_so(self, customer, english):
        one = told_of(customer)
        answer = agree(english, one)
        consent = PriceAnnouncement.objects.get().consent
        assert consent.given_by == owner_of(customer)
        assert consent.control == "portal:price"
        assert "Agreed." in text(answer)
        again = text(english.get(f"/subscriptions/{one.number}/price/"))
        assert "You have agreed to it" in again

    def test_agrees_to_nothing_but_what_was_read(self, customer, english):
        one = told_of(customer)
        read = seen(english, one)
        at = timezone.now()
        price_moves.revoke(move_id=PriceMove.objects.get().pk, at=at, by=None)
        dearer = terms(basic("199.00"), interval="year")
        moved(one.price_version, dearer, at=at, holds_from=at + timedelta(days=31))
        for stale in (read, "x"):
            answer = agree(english, one, read=stale)
            assert "look at it once more" in text(answer) and "199.00 a year" in text(answer)
            assert not PriceAnnouncement.objects.exclude(consent=None).exists()
        agree(english, one)
        assert "199.00" in PriceAnnouncement.objects.exclude(consent=None).get().consent.text

    def test_what_is_nowhere_dearer_asks_for_nothing(self, customer, english):
        one = told_of(customer, CHEAPER)
        shown = text(english.get(f"/subscriptions/{one.number}/price/"))
        assert "nowhere dearer" in shown
        assert "What you agree to" not in shown

    def test_leads_back_where_nothing_is_announced(self, customer, english):
        one = bought(customer, at=timezone.now())
        answer = english.get(f"/subscriptions/{one.number}/price/")
        assert answer.url == f"/subscriptions/{one.number}/"

    def test_a_viewer_reads_and_cannot_agree(self, customer, client):
        one = told_of(customer)
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        shown = text(client.get(f"/subscriptions/{one.number}/price/"))
        assert "129.00 a year" in shown
        assert "Agree to the new price" not in shown
        assert client.post(f"/subscriptions/{one.number}/price/").status_code == 403
        assert PriceAnnouncement.objects.get().consent is None


class TestSubscription:
    def test_says_that_a_price_was_announced_and_until_when(self, customer, english):
        one = told_of(customer)
        shown = text(english.get(f"/subscriptions/{one.number}/"))
        assert "do you agree?" in shown
        assert "Ends on" in shown
        assert "unless you agree to the new price" in text(english.get("/subscriptions/"))

    def test_far_away_it_renews_at_the_old_price_first(self, customer, english):
        one = told_of(customer, days=500)
        shown = text(english.get(f"/subscriptions/{one.number}/"))
        assert "Until then it renews at the price you have" in shown
        assert "Renews on" in shown

    def test_what_was_agreed_to_has_no_button_to_take_it_back(self, customer, english):
        one = told_of(customer)
        agree(english, one)
        page = english.get(f"/subscriptions/{one.number}/")
        assert one.changes.scheduled().get().announcement is not None
        assert "Take back" not in text(page)
        assert "Renews on" in text(page)
        assert cny("129.00") == page.context["line"].coming

    def test_switched_off_leads_to_the_new_price_first(self, customer, english):
        one = told_of(customer)
        english.post(f"/subscriptions/{one.number}/cancel/")
        answer = english.get(f"/subscriptions/{one.number}/renew/")
        assert answer.url == f"/subscriptions/{one.number}/price/"
