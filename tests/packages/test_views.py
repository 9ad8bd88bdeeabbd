import html
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts import customers
from accounts.models import Member
from packages import catalogue
from tests.factories import (
    UserFactory,
    cny,
    fund,
    member_of,
    open_customer,
    owner_of,
)
from tests.packages.buying import bought
from tests.packages.shelf import (
    basic,
    by_year,
    calls,
    facts,
    feature,
    fee,
    offer,
    once,
    published,
    repriced,
    seats,
    terms,
)
from wallet.models import TopUp

pytestmark = pytest.mark.django_db
URL = "/packages/"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def nothing_counted_yet():
    cache.clear()


@pytest.fixture
def customer():
    return open_customer(locale="en")


def text(response) -> str:
    """
    Return what a page says, without its markup.
    """
    body = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def plan(**more):
    return terms(basic(), seats(3), calls(), feature(), **more)


class TestPackageList:
    def test_says_so_when_nothing_is_on_sale(self, english):
        page = text(english.get(URL))
        assert "Nothing is on sale in your currency yet" in page and "Top up" in page

    def test_compares_plans_by_what_they_give(self, english):
        published(plan())
        published(terms(basic("0.00"), calls(100, hard_limit=Decimal(100))), code="free")
        shown = english.get(URL)
        page = text(shown)
        assert "¥99.00 a month" in page and "Free" in page
        assert "3 seats included, then ¥25.00 each, less for more" in page
        assert "100 calls, then it stops" in page
        labels = [label for label, _cells in shown.context["rows"]]
        assert labels == ["Seats", "API calls", "Data exports"]
        has = [[cell[1] for cell in cells] for _label, cells in shown.context["rows"]]
        assert has == [[True, False], [True, True], [True, False]]

    def test_switches_the_term_and_says_what_it_saves(self, english):
        published(plan(), by_year(plan(), "990.00"))
        page = text(english.get(URL, {"term": "year"}))
        assert "¥990.00 a year" in page and "comes to ¥82.50 a month" in page
        assert "saves 16 %" in page and "saves up to 16 %" in page
        assert "¥99.00 a month" in text(english.get(URL, {"term": "nonsense"}))

    def test_shows_a_plan_without_that_term_by_the_one_it_has(self, english):
        published(plan(), by_year(plan(), "990.00"))
        published(terms(basic("7.00")), code="other")
        assert "¥7.00 a month" in text(english.get(URL, {"term": "year"}))

    def test_shows_add_ons_trials_and_top_ups(self, english):
        published(plan(trial_days=14))
        published(terms(once("380.00")), code="sms", kind="ADD_ON")
        published(offer(), code="thousand", kind="TOP_UP")
        page = text(english.get(URL))
        assert "14 days" in page and "¥380.00 once" in page
        assert "¥50.00 on top" in page and "The bonus lives 90 days." in page

    def test_shows_ones_own_price_and_nobody_elses(self, english, customer, client):
        package = published(plan(), at=timezone.now() - timedelta(days=1))
        repriced(package, terms(basic("79.00")), at=timezone.now(), customer=customer)
        page = text(english.get(URL))
        assert "¥79.00 a month" in page and "Your own price" in page
        client.force_login(owner_of(open_customer()))
        other = text(client.get(URL))
        assert "¥79.00" not in other and "¥99.00" in other

    def test_is_chinese_for_chinese(self, client):
        published(plan())
        client.force_login(owner_of(open_customer()))
        page = text(client.get(URL))
        assert "pro 版" in page and "¥99.00/月" in page and "套餐" in page

    def test_asks_strangers_to_sign_in_and_leads_others_to_the_welcome_page(self, client):
        assert "/account/login/" in client.get(URL).url
        client.force_login(UserFactory())
        assert "/welcome/" in client.get(URL).url

    def test_costs_the_same_however_many_there_are(self, english, django_assert_max_num_queries):
        for code in ("one", "two", "three", "four"):
            published(plan(), by_year(plan(), "990.00"), code=code)
        english.get(URL)
        with django_assert_max_num_queries(14):
            english.get(URL)


class TestPackageDetail:
    def test_says_how_it_is_charged(self, english):
        published(plan(trial_days=14))
        page = text(english.get(f"{URL}pro/"))
        for words in (
            "The first 14 days are a trial",
            "each month on the same day",
            "Asia/Shanghai",
            "At least 5 days before each renewal",
            "30 days before",
            "in two clicks",
            "¥99.00 a month from your wallet",
            "nothing is taken and we tell you",
        ):
            assert words in page, words

    def test_works_out_seats_and_usage_line_by_line(self, english):
        published(plan())
        page = text(english.get(f"{URL}pro/", {"seats": "14", "use-api_calls": "2000"}))
        assert "10 × ¥25.00" in page and "1 × ¥20.00 + ¥5.00" in page
        assert "1,000 × ¥0.0123" in page and "¥12.30" in page
        assert "¥386.30" in page  # 99 + 250 + 25 + 12.30

    def test_counts_the_usage_of_a_whole_term(self, english):
        published(plan(), by_year(plan(), "990.00"))
        asked = {"term": "year", "seats": "3", "use-api_calls": "100"}
        assert "¥992.46" in text(english.get(f"{URL}pro/", asked))  # 1,200 − 1,000 calls

    def test_says_that_steps_begin_after_what_is_included(self, english):
        published(terms(basic("99.00"), seats(3)))
        assert "Counted from the first unit beyond the 3 seats included." in text(
            english.get(f"{URL}pro/")
        )
        published(terms(basic("99.00"), seats(0)), code="plain")
        assert "Counted from the first unit" not in text(english.get(f"{URL}plain/"))

    def test_says_plainly_what_may_be_entered(self, english):
        published(plan())
        page = text(english.get(f"{URL}pro/", {"use-api_calls": "-1"}))
        assert "Enter zero or more." in page

    def test_works_out_shares_of_transactions(self, english):
        published(terms(basic("0.00"), fee()))
        asked = {"count-collection": "10", "value-collection": "100.00"}
        page = text(english.get(f"{URL}pro/", asked))
        assert "10 × ¥100.00 × 0.6 %" in page and "¥6.00" in page

    def test_says_where_usage_stops(self, english):
        published(terms(basic("0.00"), calls(100, hard_limit=Decimal(100))))
        page = text(english.get(f"{URL}pro/", {"use-api_calls": "500"}))
        assert "stops at 100 calls" in page

    @pytest.mark.parametrize(
        "asked",
        [{"seats": "-1"}, {"seats": "x"}, {"use-api_calls": "1.5"}, {"use-api_calls": "9" * 40}],
    )
    def test_bears_nonsense(self, english, asked):
        published(plan())
        shown = english.get(f"{URL}pro/", asked)
        assert shown.status_code == 200 and shown.context["quote"] is None

    @pytest.mark.parametrize("value", ["abc", "-5", "1e9", ""])
    def test_bears_values_that_are_no_amounts(self, english, value):
        published(terms(basic("0.00"), fee()))
        shown = english.get(f"{URL}pro/", {"value-collection": value})
        assert shown.status_code == 200 and shown.context["quote"] is None

    def test_offers_to_top_up_what_is_missing(self, english, customer):
        published(plan())
        fund(customer, "20.00")
        assert "¥79.00 are missing to begin" in text(english.get(f"{URL}pro/"))
        fund(customer, "100.00")
        page = text(english.get(f"{URL}pro/"))
        assert "are missing" not in page and "That is enough to begin." in page

    def test_offers_the_trial_for_nothing_to_who_has_not_had_it(self, english, customer):
        published(plan(trial_days=14))
        page = text(english.get(f"{URL}pro/"))
        assert "Try it" in page and "The trial takes nothing of it." in page
        assert "are missing" not in page

    def test_offers_what_was_chosen_to_who_may_buy_it(self, english):
        published(plan(), by_year(plan(), "990.00"))
        page = english.get(f"{URL}pro/", {"term": "year", "seats": "7"}).content.decode()
        assert 'action="/packages/pro/subscribe/"' in page
        assert 'name="term" value="year"' in page and 'name="seats" value="7"' in page

    def test_tells_viewers_whom_to_ask(self, client, customer):
        published(plan())
        viewer = member_of(customer, Member.Role.VIEWER, locale="en")
        client.force_login(viewer)
        page = client.get(f"{URL}pro/")
        assert "Owners and finance people can subscribe. Ask one of them." in text(page)
        assert "/subscribe/" not in page.content.decode()

    def test_tells_frozen_customers_why_not(self, english, customer):
        published(plan())
        customers.freeze(customer_id=customer.pk, reason="x", at=timezone.now(), by=None)
        page = english.get(f"{URL}pro/")
        assert "No money moves while the customer is frozen." in text(page)
        assert "/subscribe/" not in page.content.decode()

    def test_leads_to_the_subscription_of_who_has_it(self, english, customer):
        version = published(plan()).prices.get()
        fund(customer, "500.00")
        known = bought(customer, version, at=timezone.now())
        page = english.get(f"{URL}pro/").content.decode()
        assert f"/subscriptions/{known.number}/" in page and "/subscribe/" not in page
        assert "You have it" in text(english.get(URL))

    def test_shows_every_step_of_a_price(self, english):
        published(plan())
        page = text(english.get(f"{URL}pro/"))
        assert "1 – 10 ¥25.00 each ¥0.00 11 + ¥20.00 each ¥5.00" in page

    def test_is_not_there_for_who_cannot_buy_it(self, english, customer):
        package = published(plan(), at=timezone.now() - timedelta(days=1))
        repriced(package, terms(basic("79.00")), at=timezone.now(), customer=open_customer())
        public = package.prices.get(customer=None)
        now = timezone.now()
        catalogue.end(price_version_id=public.pk, valid_to=now, at=now, by=None)
        assert english.get(f"{URL}pro/").status_code == 404
        assert english.get(f"{URL}nothing/").status_code == 404

    def test_is_not_there_while_a_draft_or_when_retired(self, english):
        catalogue.draft(facts=facts("new"), prices=[plan()], at=timezone.now(), by=None)
        assert english.get(f"{URL}new/").status_code == 404
        package = published(plan())
        catalogue.retire(package_id=package.pk, at=timezone.now(), by=None)
        assert english.get(f"{URL}pro/").status_code == 404

    def test_of_a_top_up_leads_to_ordering_it(self, english):
        published(offer(), code="thousand", kind="TOP_UP")
        assert english.get(f"{URL}thousand/").url == f"{URL}thousand/top-up/"


class TestTopUpOrder:
    @pytest.fixture
    def thousand(self):
        return published(offer(), code="thousand", kind="TOP_UP")

    def test_shows_everything_once_more(self, english, thousand, fake_gateway):
        page = text(english.get(f"{URL}thousand/top-up/"))
        assert "¥1,000.00" in page and "+¥50.00" in page and "¥1,050.00" in page
        assert "within 90 days" in page and "Pay ¥1,000.00" in page

    def test_writes_the_promise_onto_the_top_up(self, english, thousand, fake_gateway):
        sent = {"gateway": "sandbox", "request_key": "a" * 32, "amount": "1.00"}
        for _twice in range(2):
            answer = english.post(f"{URL}thousand/top-up/", sent)
        topup = TopUp.objects.get()
        assert answer.url == f"/wallet/topups/{topup.number}/"
        assert (topup.amount, topup.promised_bonus) == (cny("1000.00"), cny("50.00"))
        assert topup.promised_bonus_days == 90
        assert topup.promised_terms == (
            "Thousand: pay ¥1,000.00, get ¥50.00 on top, to be spent within 90 days."
        )

    def test_promises_no_bonus_that_is_none(self, english, fake_gateway):
        published(offer(bonus="0.00", days=None), code="plain", kind="TOP_UP")
        english.post(f"{URL}plain/top-up/", {"gateway": "sandbox"})
        assert TopUp.objects.get().promised_bonus is None

    def test_says_why_not(self, english, thousand, fake_gateway):
        assert english.post(f"{URL}thousand/top-up/", {"gateway": "nobody"}).status_code == 422
        published(offer("60000.00"), code="huge", kind="TOP_UP")
        answer = english.post(f"{URL}huge/top-up/", {"gateway": "sandbox"})
        assert answer.status_code == 422 and "The largest top-up is" in text(answer)
        assert not TopUp.objects.exists()

    def test_is_for_who_may_top_up_and_for_top_up_packages(
        self, client, customer, english, thousand
    ):
        published(plan())
        assert english.get(f"{URL}pro/top-up/").status_code == 404
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.get(f"{URL}thousand/top-up/").status_code == 403
