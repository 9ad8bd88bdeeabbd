"""
Money is missing: it is topped up first, and what it was for goes on by itself.
"""

import pytest

from accounts import members
from accounts.customers import NotAllowed
from accounts.models import Consent, Member
from packages import checkout
from packages.checkout import QuoteExpired
from packages.models import Charge, PriceQuote, Subscription
from packages.redemptions import CouponUsedUp
from tests.factories import cny, fund, funded_customer, member_of, open_customer, owner_of
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale
from tests.packages.checking_out import HOUR, accepted, paid, quoted, topped_up_first
from tests.packages.couponing import coupon
from tests.wallet.topup_setting import started
from wallet import spending, topups
from wallet.models import TopUp

pytestmark = pytest.mark.django_db


class TestTopUpFirst:
    def test_orders_exactly_what_is_missing_and_remembers_what_for(self, fake_gateway):
        quote = quoted(funded_customer("10.00"))
        topup = topped_up_first(quote, auto_renew=True)
        quote.refresh_from_db()
        assert (topup.amount, quote.topup, quote.auto_renew) == (cny("89.00"), topup, True)
        assert quote.consent.purpose == "SUBSCRIBE"
        assert not Subscription.objects.exists()

    def test_sent_twice_is_one_top_up(self, fake_gateway):
        quote = quoted(open_customer())
        assert topped_up_first(quote) == topped_up_first(quote)
        assert Consent.objects.count() == 1

    def test_of_two_tabs_is_one_top_up(self, fake_gateway):
        quote = quoted(open_customer())
        assert topped_up_first(quote, key="one") == topped_up_first(quote, key="other")

    def test_orders_anew_when_the_first_was_given_up(self, fake_gateway):
        quote = quoted(open_customer())
        first = topped_up_first(quote, key="one")
        topups.cancel(topup_id=first.pk, at=MARCH_FIRST + HOUR)
        second = topped_up_first(quote, key="other")
        quote.refresh_from_db()
        assert (quote.topup, second == first) == (second, False)

    def test_records_another_choice_as_another_consent(self, fake_gateway):
        quote = quoted(open_customer())
        topped_up_first(quote)
        topped_up_first(quote, auto_renew=True)
        quote.refresh_from_db()
        assert Consent.objects.count() == 2
        assert quote.consent == Consent.objects.latest("pk")

    def test_refuses_what_is_too_old_or_bought(self, fake_gateway):
        quote = quoted()
        with pytest.raises(QuoteExpired):
            topped_up_first(quote, at=quote.expires_at)
        accepted(quote)
        with pytest.raises(QuoteExpired):
            topped_up_first(quote)

    def test_refuses_viewers_and_leaves_no_consent(self, fake_gateway):
        quote = quoted(open_customer())
        with pytest.raises(NotAllowed):
            topped_up_first(quote, by=member_of(quote.customer))
        assert not Consent.objects.exists() and not TopUp.objects.exists()


class TestGoOn:
    def test_buys_once_when_the_top_up_is_paid(self, fake_gateway):
        customer = funded_customer("10.00")
        quote = quoted(customer)
        topup = topped_up_first(quote, auto_renew=True, by=owner_of(customer))
        at = MARCH_FIRST + 2 * HOUR
        assert checkout.go_on(at=at) == 0
        paid(topup, at=at)
        assert [checkout.go_on(at=at, customer_id=customer.pk) for _ in range(3)] == [1, 0, 0]
        quote.refresh_from_db()
        assert quote.subscription.auto_renew
        assert quote.subscription.created_by == owner_of(customer)
        assert (left(customer), Charge.objects.count()) == (cny(0), 1)

    def test_waits_when_the_money_was_spent_meanwhile(self, fake_gateway):
        customer = funded_customer("10.00")
        quote = quoted(customer)
        topup = topped_up_first(quote)
        at = MARCH_FIRST + 2 * HOUR
        paid(topup, at=at)
        spending.spend(customer=customer, amount=cny("5.00"), reference="x", description="x", at=at)
        assert checkout.go_on(at=at) == 0
        assert checkout.missing(quote) == cny("5.00")
        fund(customer, "5.00", at=at)
        assert checkout.go_on(at=at) == 1

    @pytest.mark.parametrize("how", ["removed", "viewer", "inactive"])
    def test_asks_the_right_of_who_agreed_when_the_money_comes(self, fake_gateway, how):
        customer = open_customer()
        owner, finance = owner_of(customer), member_of(customer, Member.Role.FINANCE)
        quote = quoted(customer)
        topup = topped_up_first(quote, by=finance)
        assert checkout.stopped_for(quote) is None
        member = Member.objects.get(user=finance)
        if how == "removed":
            members.remove(member_id=member.pk, by=owner, at=MARCH_FIRST)
        elif how == "viewer":
            members.change_role(member_id=member.pk, role="VIEWER", by=owner, at=MARCH_FIRST)
        else:
            finance.is_active = False
            finance.save()
        at = MARCH_FIRST + 2 * HOUR
        paid(topup, at=at)
        assert checkout.go_on(at=at) == 0
        quote.refresh_from_db()
        assert checkout.stopped_for(quote) == finance
        # who buys it then agrees to it anew, in person
        subscription = accepted(quote, at=at, by=owner)
        quote.refresh_from_db()
        assert (quote.consent.given_by, subscription.created_by) == (owner, owner)
        assert Consent.objects.count() == 2

    def test_leaves_alone_what_is_too_old(self, fake_gateway):
        customer = open_customer()
        quote = quoted(customer)
        topup = topped_up_first(quote)
        paid(topup, at=MARCH_FIRST + 2 * HOUR)
        assert checkout.go_on(at=quote.expires_at) == 0
        assert left(customer) == cny("99.00")

    def test_looks_at_one_customer_when_asked_to(self, fake_gateway):
        version = on_sale()
        quotes = [quoted(open_customer(name), version) for name in ("甲", "乙")]
        for quote in quotes:
            topup = topped_up_first(quote, key=f"key-{quote.pk}")
            paid(topup, at=MARCH_FIRST + 2 * HOUR)
        at = MARCH_FIRST + 3 * HOUR
        assert checkout.go_on(at=at, customer_id=quotes[0].customer_id) == 1
        assert checkout.go_on(at=at) == 1

    def test_buys_nothing_for_a_top_up_of_something_else(self, fake_gateway):
        customer = open_customer()
        quoted(customer)
        paid(started(customer, "200.00", at=MARCH_FIRST), at=MARCH_FIRST)
        assert checkout.go_on(at=MARCH_FIRST + HOUR) == 0


class TestCoupon:
    def test_is_bought_with_when_the_money_comes(self, fake_gateway):
        one = coupon(terms=1)
        quote = quoted(open_customer())
        cheaper = checkout.with_coupon(quote_id=quote.pk, code="spring20", at=MARCH_FIRST)
        topup = topped_up_first(cheaper)
        assert topup.amount == cny("79.20")
        with pytest.raises(QuoteExpired):
            checkout.with_coupon(quote_id=cheaper.pk, code="", at=MARCH_FIRST + HOUR)
        paid(topup, at=MARCH_FIRST + HOUR)
        assert checkout.go_on(at=MARCH_FIRST + HOUR) == 1
        assert one.uses.get().subscription == PriceQuote.objects.get(pk=cheaper.pk).subscription

    def test_waits_when_the_last_use_went_to_somebody_else(self, fake_gateway):
        version, one = on_sale(), coupon(most_uses=1)
        quote = quoted(open_customer(), version)
        cheaper = checkout.with_coupon(quote_id=quote.pk, code="SPRING20", at=MARCH_FIRST)
        topup = topped_up_first(cheaper)
        bought(version=version, coupon=one)
        paid(topup, at=MARCH_FIRST + HOUR)
        assert checkout.go_on(at=MARCH_FIRST + HOUR) == 0
        assert left(cheaper.customer) == cny("79.20")
        assert checkout.coupon_refusal(PriceQuote.objects.get(pk=cheaper.pk))

    def test_is_not_topped_up_for_when_it_is_used_up(self, fake_gateway):
        version, one = on_sale(), coupon(most_uses=1)
        quote = quoted(open_customer(), version)
        cheaper = checkout.with_coupon(quote_id=quote.pk, code="SPRING20", at=MARCH_FIRST)
        bought(version=version, coupon=one)
        with pytest.raises(CouponUsedUp):
            topped_up_first(cheaper)
        assert not TopUp.objects.exists()
