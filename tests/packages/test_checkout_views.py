from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from accounts import customers, members
from accounts.models import Consent, Member
from packages import checkout, subscriptions
from packages.models import PriceQuote, Subscription
from tests.factories import cny, fund, member_of, open_customer, owner_of
from tests.packages.buying import bought, left, on_sale
from tests.packages.checking_out import paid
from tests.packages.reading import text
from tests.packages.shelf import basic, offer, once, published, repriced, seats, terms
from tests.wallet.topup_setting import deliver
from wallet.models import TopUp

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def nothing_counted_yet():
    cache.clear()


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "150.00")


def quoted(customer, version=None, *, at=None, **options) -> PriceQuote:
    return checkout.quote(
        customer=customer, price_version=version or on_sale(), at=at or timezone.now(), **options
    )


def page_of(quote: PriceQuote) -> str:
    return f"/quotes/{quote.code}/"


class TestSubscribe:
    def test_quotes_what_was_chosen(self, english, customer):
        on_sale()
        answer = english.post("/packages/pro/subscribe/", {"term": "month", "seats": "3"})
        quote = PriceQuote.objects.get()
        assert answer.url == page_of(quote)
        assert (quote.seats, quote.due, quote.made_by) == (3, cny("149.00"), owner_of(customer))

    def test_leads_to_the_subscription_of_who_has_it(self, english, customer):
        known = bought(customer, on_sale(), at=timezone.now())
        answer = english.post("/packages/pro/subscribe/", {"term": "month"})
        assert answer.url == f"/subscriptions/{known.number}/"

    @pytest.mark.parametrize(
        "wish",
        [{}, {"term": "week"}, {"term": "month", "seats": "0"}, {"term": "month", "seats": "x"}],
    )
    def test_leads_back_from_nonsense(self, english, wish):
        on_sale()
        answer = english.post("/packages/pro/subscribe/", wish, follow=True)
        assert answer.redirect_chain[0][0] == "/packages/pro/"
        assert not PriceQuote.objects.exists()

    def test_says_how_many_seats_are_sold(self, english):
        on_sale(terms(basic()))
        answer = english.post(
            "/packages/pro/subscribe/", {"term": "month", "seats": "2"}, follow=True
        )
        assert "This package is not sold by seats. Enter 1." in text(answer)

    def test_is_not_for_viewers(self, client, customer):
        on_sale()
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.post("/packages/pro/subscribe/", {"term": "month"}).status_code == 403

    def test_knows_no_top_up_packages_nor_others_own(self, english):
        published(offer(), code="bonus", kind="TOP_UP")
        assert english.post("/packages/bonus/subscribe/", {"term": ""}).status_code == 404
        assert english.post("/packages/nothing/subscribe/", {"term": "month"}).status_code == 404


class TestQuoteDetail:
    def test_shows_all_it_means(self, english, customer):
        quote = quoted(customer, on_sale(terms(basic("99.00"), seats(1), once("20.00"))), seats=2)
        page = text(english.get(page_of(quote)))
        assert "Onboarding ¥20.00" in page and "1 × ¥25.00" in page
        assert "Taken from your wallet now ¥144.00" in page
        assert "Available now ¥150.00 Left afterwards ¥6.00" in page
        assert "The next ¥124.00 is taken on" in page
        assert "Subscribe and pay ¥144.00" in page and "This price holds until" in page

    def test_never_has_renewal_ticked_beforehand(self, english, customer):
        page = english.get(page_of(quoted(customer))).content.decode()
        [box] = [part for part in page.split("<input ") if 'name="auto_renew"' in part]
        assert "checked" not in box.partition(">")[0]

    @pytest.mark.parametrize("auto_renew", [False, True])
    def test_records_the_text_that_was_shown(self, english, customer, auto_renew):
        quote = quoted(customer)
        page = text(english.get(page_of(quote)))
        sent = {"auto_renew": "on"} if auto_renew else {}
        english.post(page_of(quote), sent, headers={"User-Agent": "Browser 1"})
        consent = Consent.objects.get()
        for line in consent.text.splitlines():
            assert " ".join(line.split()) in page.replace(" :", ":"), line
        assert (consent.control, consent.user_agent) == ("portal:quote", "Browser 1")
        assert consent.address == "127.0.0.1"
        assert Subscription.objects.get().auto_renew is auto_renew

    def test_buys_and_leads_to_the_subscription(self, english, customer):
        quote = quoted(customer)
        answer = english.post(page_of(quote), {}, follow=True)
        subscription = Subscription.objects.get()
        assert answer.redirect_chain == [(f"/subscriptions/{subscription.number}/", 302)]
        assert "You have subscribed." in text(answer)
        assert left(customer) == cny("51.00")

    def test_sent_twice_or_reloaded_buys_once(self, english, customer):
        quote = quoted(customer)
        answers = [english.post(page_of(quote), {}) for _ in range(3)]
        answers.append(english.get(page_of(quote)))
        number = Subscription.objects.get().number
        assert {answer.url for answer in answers} == {f"/subscriptions/{number}/"}
        assert left(customer) == cny("51.00")

    def test_in_two_tabs_buys_once(self, english, customer):
        version = on_sale()
        one, other = quoted(customer, version), quoted(customer, version)
        english.post(page_of(one), {})
        answer = english.post(page_of(other), {}, follow=True)
        assert "You have this package already." in text(answer)
        assert "You have this package already." in text(english.get(page_of(other)))
        assert left(customer) == cny("51.00")

    def test_adds_what_is_paid_once_to_the_first_term_after_a_trial(self, english, customer):
        fitted = terms(basic("99.00"), once("20.00"), trial_days=14)
        page = text(english.get(page_of(quoted(customer, on_sale(fitted)))))
        assert "Altogether ¥119.00" in page and "Each term after it ¥99.00 a month" in page
        assert "The next ¥119.00 is taken on" in page
        assert "With the first of these terms ¥20.00 is paid, once." in page

    def test_starts_a_trial_for_nothing(self, english, customer):
        quote = quoted(customer, on_sale(terms(basic("99.00"), trial_days=14)))
        page = text(english.get(page_of(quote)))
        assert "Start the trial, ¥0.00" in page and "The trial runs until" in page
        assert "Altogether ¥99.00" in page and "Each term after it ¥99.00 a month" in page
        english.post(page_of(quote), {})
        assert Subscription.objects.get().state == "TRIAL"
        assert left(customer) == cny("150.00")

    def test_holds_its_price_though_a_dearer_one_is_sold(self, english, customer):
        version = on_sale()
        quote = quoted(customer, version)
        repriced(version.package, terms(basic("140.00")), at=timezone.now())
        assert "Subscribe and pay ¥99.00" in text(english.get(page_of(quote)))
        english.post(page_of(quote), {})
        assert left(customer) == cny("51.00")

    def test_says_when_it_is_too_old_and_leads_to_the_price(self, english, customer):
        quote = quoted(customer, at=timezone.now() - timedelta(hours=25), seats=2)
        page = english.get(page_of(quote))
        assert "This price holds no more" in text(page)
        assert "/packages/pro/?term=month&amp;seats=2" in page.content.decode()
        assert "Subscribe and pay" not in text(page)
        assert english.post(page_of(quote), {}).status_code == 422
        assert not Subscription.objects.exists()

    def test_says_exactly_what_is_missing_and_offers_to_top_it_up(
        self, english, customer, fake_gateway
    ):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        page = text(english.get(page_of(quote)))
        assert "¥50.00 are missing" in page and "Top up ¥50.00 and subscribe" in page
        assert "Subscribe and pay" not in page

    def test_takes_nothing_when_the_money_has_gone_meanwhile(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        answer = english.post(page_of(quote), {})
        assert answer.status_code == 422
        assert "Your wallet does not hold enough any more." in text(answer)
        assert not Consent.objects.exists()

    def test_shows_viewers_but_takes_nothing_from_them(self, client, customer):
        quote = quoted(customer)
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        page = text(client.get(page_of(quote)))
        assert "Owners and finance people can subscribe." in page
        assert "Subscribe and pay" not in page
        assert client.post(page_of(quote), {}).status_code == 403

    def test_tells_frozen_customers_why_not(self, english, customer):
        quote = quoted(customer)
        customers.freeze(customer_id=customer.pk, reason="x", at=timezone.now(), by=None)
        page = text(english.get(page_of(quote)))
        assert "frozen" in page and "Subscribe and pay" not in page
        assert english.post(page_of(quote), {}).status_code == 422

    def test_is_not_there_for_others_nor_while_acting_for_another(self, english, customer, client):
        quote = quoted(open_customer("别家"))
        assert english.get(page_of(quote)).status_code == 404
        assert english.post(page_of(quote), {}).status_code == 404


class TestTopUpFirst:
    def order(self, english, quote, **more):
        sent = {"top_up": "yes", "gateway": "sandbox", "request_key": "buying23456722buying"}
        return english.post(page_of(quote), sent | more)

    def test_orders_what_is_missing_and_goes_to_pay(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        answer = self.order(english, quote, auto_renew="on")
        topup = TopUp.objects.get()
        assert answer.url == f"/wallet/topups/{topup.number}/"
        assert topup.amount == cny("50.00")
        quote.refresh_from_db()
        assert (quote.topup, quote.auto_renew) == (topup, True)
        assert quote.consent.control == "portal:quote"

    def test_says_who_may_not_spend_any_more_and_lets_another_agree(
        self, english, customer, fake_gateway
    ):
        finance = member_of(customer, Member.Role.FINANCE)
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        topup = checkout.top_up_first(
            quote_id=quote.pk,
            auto_renew=False,
            gateway="sandbox",
            request_key="key",
            at=timezone.now(),
            by=finance,
        )
        assert "Waiting for your payment" in text(english.get(page_of(quote)))
        member = Member.objects.get(user=finance)
        members.remove(member_id=member.pk, by=owner_of(customer), at=timezone.now())
        paid(topup, at=timezone.now())
        assert checkout.go_on(at=timezone.now()) == 0
        page = text(english.get(page_of(quote)))
        assert f"{finance} agreed to it and may not spend for you any more." in page
        assert "begins within a minute" not in page and "Subscribe and pay ¥200.00" in page
        english.post(page_of(quote), {})
        assert Subscription.objects.get().created_by == owner_of(customer)

    def test_an_amount_that_was_sent_changes_nothing(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        self.order(english, quote, amount="1000.00", preset="500.00")
        assert TopUp.objects.get().amount == cny("50.00")

    def test_asks_again_without_a_way_to_pay(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        answer = self.order(english, quote, gateway="")
        assert answer.status_code == 422 and not TopUp.objects.exists()

    def test_says_so_when_it_is_more_than_can_be_topped_up(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("900000.00"))))
        answer = self.order(english, quote)
        assert answer.status_code == 422 and not TopUp.objects.exists()
        assert not Consent.objects.exists()

    def test_waits_then_goes_on_by_itself(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        self.order(english, quote)
        topup = TopUp.objects.get()
        waiting = english.get(page_of(quote))
        assert "Waiting for your payment" in text(waiting)
        assert "Subscribe and pay" not in text(waiting)
        assert f"{page_of(quote)}live/?n=0&amp;state=WAITING" in waiting.content.decode()
        before = text(english.get(f"/wallet/topups/{topup.number}/"))
        assert "Pro begins by itself as soon as the money is here." in before

        live = f"{page_of(quote)}live/"
        assert (
            "load delay" in english.get(live, {"state": "WAITING"}, headers=HTMX).content.decode()
        )
        deliver(fake_gateway.pay(topup.number))
        arrived = english.get(live, {"state": "WAITING"}, headers=HTMX)
        assert arrived.headers["HX-Refresh"] == "true"
        assert "begins within a minute" in text(english.get(page_of(quote)))
        after = english.get(f"/wallet/topups/{topup.number}/")
        assert "Go on with Pro" in text(after) and page_of(quote) in after.content.decode()

        assert checkout.go_on(at=timezone.now(), customer_id=customer.pk) == 1
        there = f"/subscriptions/{Subscription.objects.get().number}/"
        bought = english.get(live, {"state": "COMING"}, headers=HTMX)
        assert bought.headers["HX-Redirect"] == there
        assert english.get(page_of(quote)).url == there
        assert there in english.get(f"/wallet/topups/{topup.number}/").content.decode()

    def test_offers_the_form_again_when_the_top_up_was_given_up(
        self, english, customer, fake_gateway
    ):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        self.order(english, quote)
        english.post(f"/wallet/topups/{TopUp.objects.get().number}/cancel/")
        assert "Top up ¥50.00 and subscribe" in text(english.get(page_of(quote)))


class TestQuoteLive:
    def test_asks_less_and_less_often(self, english, customer, fake_gateway):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        TestTopUpFirst().order(english, quote)
        for looks, pause in (("0", "2s"), ("3", "3s"), ("99999", "30s"), ("x", "2s"), ("٣", "2s")):
            page = english.get(f"{page_of(quote)}live/", {"state": "WAITING", "n": looks})
            assert f"load delay:{pause}" in page.content.decode(), looks

    def test_is_not_there_for_others(self, english):
        quote = quoted(open_customer("别家"))
        assert english.get(f"{page_of(quote)}live/").status_code == 404

    def test_buys_nothing_by_looking(self, english, customer):
        quote = quoted(customer)
        english.get(f"{page_of(quote)}live/", {"state": "OPEN"})
        assert not subscriptions.Subscription.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestWhileItBegins:
    @pytest.mark.parametrize("page", ["", "live/?state=WAITING"])
    def test_a_look_in_the_middle_still_leads_on(
        self, english, customer, fake_gateway, monkeypatch, page
    ):
        quote = quoted(customer, on_sale(terms(basic("200.00"))))
        TestTopUpFirst().order(english, quote)
        read = checkout.missing

        def begun_meanwhile(seen):
            monkeypatch.setattr(checkout, "missing", read)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(self.pays_and_begins, customer.pk).result(30)
            return read(seen)

        monkeypatch.setattr(checkout, "missing", begun_meanwhile)
        shown = english.get(f"{page_of(quote)}{page}", headers=HTMX if page else {})
        # as it stood: it waits, and asks again by itself
        assert "load delay" in shown.content.decode()
        there = f"/subscriptions/{Subscription.objects.get().number}/"
        assert english.get(page_of(quote)).url == there

    def pays_and_begins(self, customer_id):
        try:
            at = timezone.now()
            paid(TopUp.objects.get(), at=at)
            assert checkout.go_on(at=at, customer_id=customer_id) == 1
        finally:
            connection.close()
