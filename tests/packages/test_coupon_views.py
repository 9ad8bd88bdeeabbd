import re
from datetime import timedelta

import pytest
from django.core import signing
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Member
from packages import checkout, coupons
from packages.models import CouponUse, PriceQuote, Subscription
from tests.factories import cny, fund, funded_customer, member_of, open_customer, owner_of
from tests.packages.buying import bought, left, on_sale
from tests.packages.couponing import coupon
from tests.packages.reading import text
from tests.packages.shelf import basic, once, seats, terms

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted_yet():
    cache.clear()


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "500.00")


def quoted(customer, version=None, **options) -> PriceQuote:
    return checkout.quote(
        customer=customer, price_version=version or on_sale(), at=timezone.now(), **options
    )


def page_of(quote: PriceQuote, part: str = "") -> str:
    return f"/quotes/{quote.code}/{part}"


def cheaper(client, quote: PriceQuote, code: str = "spring20") -> PriceQuote:
    answer = client.post(page_of(quote, "coupon/"), {"code": code})
    return PriceQuote.objects.get(code=answer.url.split("/")[2])


def ticks(answer) -> set[tuple[str, bool]]:
    """
    Return which boxes of a page there are, and which of them are ticked.
    """
    boxes = re.findall(r'<input type="checkbox"[^>]*>', answer.content.decode())
    return {(re.search(r'name="(\w+)"', box)[1], " checked" in box) for box in boxes}


class TestQuoteCoupon:
    def test_shows_and_takes_the_lower_price(self, english, customer):
        coupon(terms=3)
        version = on_sale(terms(basic("99.00"), seats(1), once()))
        quote = cheaper(english, quoted(customer, version, seats=2))
        page = text(english.get(page_of(quote)))
        assert "SPRING20 20 % off each term, for 3 terms" in page
        assert "1 × ¥99.00 Coupon SPRING20: −20 % ¥79.20" in page.replace("\xa0", " ")
        assert "When the coupon is over: ¥124.00 a month." in page
        assert quote.due == cny("599.20") and quote.each_term == cny("99.20")
        assert quote.coupon.code == "SPRING20" and not CouponUse.objects.exists()

    def test_is_bought_and_counted(self, english, customer):
        one = coupon(terms=1)
        quote = cheaper(english, quoted(customer))
        english.post(page_of(quote), {"auto_renew": "on"})
        assert left(customer) == cny("420.80")
        subscription = Subscription.objects.get()
        assert "then for" not in subscription.consent.text
        assert "renews by itself for ¥99.00 a month" in subscription.consent.text
        assert CouponUse.objects.get().coupon == one

    def test_of_all_of_it_takes_nothing(self, english, client):
        customer = open_customer("Penniless", locale="en")
        client.force_login(owner_of(customer))
        coupon("GIFT", bps=10_000)
        quote = cheaper(client, quoted(customer), "gift")
        assert client.post(page_of(quote)).url.startswith("/subscriptions/")

    def test_keeps_the_quote_valid_as_long_as_before(self, english, customer):
        coupon()
        first = quoted(customer)
        assert cheaper(english, first).expires_at == first.expires_at

    def test_is_taken_off_again(self, english, customer):
        coupon()
        quote = cheaper(english, quoted(customer))
        answer = english.post(page_of(quote, "coupon/"), {"remove": "yes"}, follow=True)
        assert "SPRING20" not in text(answer)
        assert PriceQuote.objects.latest("pk").due == cny("99.00")

    @pytest.mark.parametrize(
        ("facts", "says"),
        [
            ({"code": "OTHER"}, "There is no coupon with this code."),
            ({"valid_to": timezone.now() - timedelta(days=1)}, "This coupon is over."),
            ({"most_uses": 1}, "This coupon has been used up."),
        ],
    )
    def test_says_at_the_field_why_not(self, english, customer, facts, says):
        version = on_sale()
        one = coupon(**facts)
        if "most_uses" in facts:
            bought(funded_customer(), version, coupon=one, at=timezone.now())
        quote = quoted(customer, version)
        answer = english.post(page_of(quote, "coupon/"), {"code": "spring20"})
        assert answer.status_code == 422
        assert answer.context["coupon_form"].errors["code"][0].startswith(says)
        assert says in text(answer) and 'value="spring20"' in answer.content.decode()
        assert PriceQuote.objects.count() == 1

    def test_asks_for_a_code(self, english, customer):
        answer = english.post(page_of(quoted(customer), "coupon/"), {"code": " "})
        assert answer.status_code == 422

    def test_shows_the_full_price_when_the_last_use_went_to_somebody_else(self, english, customer):
        version, one = on_sale(), coupon(most_uses=1)
        quote = cheaper(english, quoted(customer, version))
        bought(funded_customer(), version, coupon=one, at=timezone.now())
        answer = english.post(page_of(quote))
        page = text(answer)
        assert answer.status_code == 422
        assert "This coupon has been used up." in page
        assert "Subscribe and pay ¥99.00" in page
        plain = PriceQuote.objects.latest("pk")
        assert plain.coupon is None and f'action="{page_of(plain)}"' in answer.content.decode()
        assert left(customer) == cny("500.00")

    def test_offers_to_go_on_without_one_that_is_used_up(self, english, customer):
        version, one = on_sale(), coupon(most_uses=1)
        quote = cheaper(english, quoted(customer, version))
        bought(funded_customer(), version, coupon=one, at=timezone.now())
        page = text(english.get(page_of(quote)))
        assert "This coupon has been used up." in page and "Go on without the coupon" in page
        assert "Subscribe and pay" not in page

    def test_honours_a_quote_given_before_the_coupon_was_ended(self, english, customer):
        one = coupon()
        quote = cheaper(english, quoted(customer))
        coupons.end(coupon_id=one.pk, at=timezone.now(), by=None)
        english.post(page_of(quote))
        assert left(customer) == cny("420.80")

    @pytest.mark.parametrize("ticked", [{"auto_renew": "on"}, {}])
    @pytest.mark.parametrize(
        ("entered", "status"),
        [({"code": "spring20"}, 200), ({"code": "wrong"}, 422), ({"remove": "yes"}, 200)],
    )
    def test_keeps_what_was_ticked(self, english, customer, ticked, entered, status):
        coupon()
        quote = quoted(customer)
        if "remove" in entered:
            quote = cheaper(english, quote)
        answer = english.post(page_of(quote, "coupon/"), ticked | entered, follow=True)
        assert answer.status_code == status
        assert ("auto_renew", bool(ticked)) in ticks(answer)

    def test_ticks_nothing_by_an_address(self, english, customer):
        quote = quoted(customer)
        for address in (
            "?auto_renew=on",
            "?picked=x",
            "?picked=" + signing.dumps({"auto_renew": "on"}),
        ):
            assert ("auto_renew", False) in ticks(english.get(page_of(quote) + address))

    def test_ticks_nothing_by_the_address_of_another_person(self, english, client, customer):
        coupon()
        quote = quoted(customer)
        entered = {"code": "spring20", "auto_renew": "on"}
        address = english.post(page_of(quote, "coupon/"), entered)["Location"]
        assert ("auto_renew", True) in ticks(english.get(address))
        client.force_login(member_of(customer, Member.Role.OWNER, locale="en"))
        assert ("auto_renew", False) in ticks(client.get(address))

    def test_keeps_the_way_to_pay(self, english, customer, fake_gateway):
        coupon()
        quote = quoted(customer, on_sale(terms(basic("999.00"))))
        sent = {"code": "spring20", "gateway": "another"}
        answer = english.post(page_of(quote, "coupon/"), sent, follow=True)
        assert answer.context["paying"].form["gateway"].value() == "another"

    @pytest.mark.parametrize("top_up", [{}, {"top_up": "yes"}])
    def test_is_never_left_out_when_typed_but_not_applied(self, english, customer, top_up):
        coupon()
        quote = quoted(customer)
        sent = {"code": "spring20", "auto_renew": "on"} | top_up
        answer = english.post(page_of(quote), sent)
        assert answer.status_code == 422 and not Subscription.objects.exists()
        assert "This coupon is not applied yet." in text(answer)
        assert 'value="spring20"' in answer.content.decode()
        assert ("auto_renew", True) in ticks(answer)

    def test_is_not_for_viewers(self, client, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER))
        quote = quoted(customer)
        assert client.post(page_of(quote, "coupon/"), {"code": "x"}).status_code == 403
        assert "coupon" not in client.get(page_of(quote)).content.decode().split("<main")[1].lower()

    def test_leads_on_when_it_is_bought(self, english, customer):
        quote = quoted(customer)
        english.post(page_of(quote))
        answer = english.post(page_of(quote, "coupon/"), {"code": "x"}, follow=True)
        assert answer.redirect_chain[-1][0].startswith("/subscriptions/")


class TestLimit:
    def test_refuses_to_look_after_ten_wrong_codes_in_an_hour(self, english, customer):
        coupon()
        quote = quoted(customer)
        for number in range(10):
            answer = english.post(page_of(quote, "coupon/"), {"code": f"WRONG{number}"})
            assert "There is no coupon" in text(answer)
        answer = english.post(page_of(quote, "coupon/"), {"code": "SPRING20"})
        assert answer.status_code == 422 and "Too many codes" in text(answer)

    def test_does_not_count_what_is_right(self, english, customer):
        coupon()
        quote = quoted(customer)
        for _time in range(12):
            assert cheaper(english, quote).coupon is not None


def running(customer, **options) -> Subscription:
    at = timezone.now() - timedelta(days=3)
    return bought(customer, options.pop("version", None) or on_sale(), at=at, **options)


def home(subscription: Subscription, part: str = "") -> str:
    return f"/subscriptions/{subscription.number}/{part}"


class TestEnterCoupon:
    def test_holds_from_the_next_renewal_on(self, english, customer):
        coupon(terms=2)
        subscription = running(customer)
        answer = english.post(home(subscription, "coupon/"), {"code": "Spring 20"}, follow=True)
        page = text(answer)
        assert "for ¥79.20" in page and "Holds for 2 more terms." in page
        assert "¥79.20" in text(english.get("/subscriptions/"))

    def test_says_at_the_field_why_not(self, english, customer):
        subscription = running(customer)
        answer = english.post(home(subscription, "coupon/"), {"code": "nothing"})
        assert answer.status_code == 422
        assert "There is no coupon with this code." in text(answer)

    def test_is_not_offered_where_nothing_renews(self, english, customer):
        subscription = running(customer)
        Subscription.objects.filter(pk=subscription.pk).update(
            state="ENDED", ended_at=timezone.now(), next_try_at=None
        )
        assert "Enter a coupon" not in text(english.get(home(subscription)))
        answer = english.post(home(subscription, "coupon/"), {"code": "SPRING20"})
        assert answer.status_code == 422


class TestRemoveCoupon:
    def test_renews_in_full(self, english, customer):
        subscription = running(customer, coupon=coupon())
        page = text(english.get(home(subscription)))
        assert "SPRING20" in page and "Holds for every renewal." in page
        page = text(english.post(home(subscription, "coupon/remove/"), follow=True))
        assert "for ¥99.00" in page and "SPRING20 20" not in page

    def test_says_when_there_is_none(self, english, customer):
        answer = english.post(home(running(customer), "coupon/remove/"), follow=True)
        assert "This subscription has no coupon." in text(answer)


class TestChange:
    def test_says_that_the_coupon_ends(self, english, customer):
        small, big = on_sale(code="small"), on_sale(terms(basic("300.00")), code="big")
        subscription = running(customer, version=small, coupon=coupon(packages=[small.package]))
        page = text(english.get(f"{home(subscription)}change/", {"price": big.pk}))
        assert "Coupon SPRING20 is not for this package and ends with the change." in page
