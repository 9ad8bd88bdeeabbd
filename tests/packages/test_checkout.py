from datetime import timedelta

import pytest
from django.utils.translation import override

from accounts import customers, members
from accounts.customers import CustomerFrozen, NotAllowed
from accounts.models import Consent, Member
from packages import beginnings, catalogue, checkout, subscriptions
from packages.beginnings import AlreadySubscribed
from packages.catalogue import NotOnSale
from packages.checkout import QuoteExpired
from packages.models import Charge, PriceQuote, Subscription
from packages.redemptions import CouponUsedUp
from packages.seating import BadSeats
from tests.factories import cny, fund, funded_customer, member_of, open_customer, owner_of
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale
from tests.packages.couponing import coupon
from tests.packages.shelf import LATER, basic, offer, once, published, repriced, seats, terms
from tests.wallet.racing import prove, race
from tests.wallet.topup_setting import started
from wallet import gateways, payments, spending, topups
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.ledger import InsufficientFunds
from wallet.models import TopUp

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def quoted(customer=None, version=None, *, at=MARCH_FIRST, **options) -> PriceQuote:
    return checkout.quote(
        customer=customer or funded_customer("1000.00"),
        price_version=version or on_sale(),
        at=at,
        **options,
    )


def accepted(quote, *, at=MARCH_FIRST + HOUR, auto_renew=False, **options) -> Subscription:
    return checkout.accept(quote_id=quote.pk, auto_renew=auto_renew, at=at, **options)


def topped_up_first(quote, *, at=MARCH_FIRST + HOUR, auto_renew=False, key="key", **options):
    return checkout.top_up_first(
        quote_id=quote.pk,
        auto_renew=auto_renew,
        gateway="sandbox",
        request_key=key,
        at=at,
        **options,
    )


def paid(topup: TopUp, *, at) -> None:
    """
    Let a top-up be reported as paid.
    """
    fact = GatewayFact(
        gateway=topup.gateway,
        merchant_id=gateways.get(topup.gateway).merchant_id,
        number=topup.number,
        external_id=f"paid-{topup.number}",
        status=PaymentStatus.PAID,
        amount=topup.amount,
        paid_at=at,
    )
    payments.settle(fact, at=at, learned_by="CALLBACK")
    topup.refresh_from_db()
    assert topup.state == "PAID"


class TestQuote:
    def test_writes_down_what_it_costs_and_holds_for_a_day(self):
        quote = quoted(version=on_sale(terms(basic("99.00"), seats(1), once("500.00"))), seats=3)
        assert (quote.due, quote.each_term) == (cny("649.00"), cny("149.00"))
        assert quote.expires_at - quote.made_at == DAY
        assert not Subscription.objects.exists() and not Consent.objects.exists()

    def test_takes_nothing_for_a_trial(self):
        quote = quoted(open_customer(), on_sale(terms(basic("99.00"), trial_days=14)))
        assert (quote.has_trial, quote.due, quote.each_term) == (True, cny(0), cny("99.00"))

    def test_refuses_what_is_not_offered(self):
        version = on_sale()
        catalogue.retire(package_id=version.package_id, at=MARCH_FIRST, by=None)
        with pytest.raises(NotOnSale):
            quoted(version=version, at=LATER)

    def test_refuses_a_price_made_for_somebody_else(self):
        package = published(terms(basic()))
        own = repriced(package, terms(basic("1.00")), customer=open_customer("别家"))
        with pytest.raises(NotOnSale):
            quoted(version=own, at=LATER)

    def test_refuses_top_up_packages(self):
        package = published(offer(), code="bonus", kind="TOP_UP")
        with pytest.raises(NotOnSale):
            quoted(version=package.prices.get())

    def test_refuses_seats_that_are_not_sold(self):
        with pytest.raises(BadSeats):
            quoted(version=on_sale(terms(basic())), seats=2)

    def test_refuses_a_package_the_customer_has(self):
        customer, version = funded_customer("1000.00"), on_sale()
        known = bought(customer, version)
        with pytest.raises(AlreadySubscribed) as refusal:
            quoted(customer, version)
        assert refusal.value.data["number"] == known.number


class TestMissing:
    def test_is_what_the_wallet_lacks(self):
        assert checkout.missing(quoted(funded_customer("98.50"))) == cny("0.50")

    def test_is_nothing_when_there_is_enough(self):
        assert checkout.missing(quoted(funded_customer("99.00"))) == cny(0)


class TestTopUpAmount:
    def test_is_exactly_what_is_missing(self):
        quote = quoted(funded_customer("10.00"))
        assert checkout.top_up_amount(quote, at=MARCH_FIRST) == cny("89.00")

    def test_is_the_least_that_can_be_topped_up(self):
        customer = funded_customer("98.99")
        quote = quoted(customer)
        least = topups.limits(customer, at=MARCH_FIRST).smallest
        assert checkout.top_up_amount(quote, at=MARCH_FIRST) == least > checkout.missing(quote)


class TestBegun:
    def test_says_how_it_would_begin_now(self):
        quote = quoted()
        assert checkout.begun(quote, at=MARCH_FIRST).due == quote.due


class TestAccept:
    def test_buys_at_the_price_that_was_shown(self):
        customer = funded_customer("1000.00")
        quote = quoted(customer, seats=2)
        subscription = accepted(quote)
        quote.refresh_from_db()
        assert (quote.subscription, quote.accepted_at) == (subscription, MARCH_FIRST + HOUR)
        assert (subscription.seats, left(customer)) == (2, cny("876.00"))

    def test_keeps_what_was_shown_as_what_was_agreed_to(self):
        quote = quoted()
        shown = beginnings.agreement(
            quote.price_version, checkout.begun(quote, at=MARCH_FIRST), auto_renew=True
        )
        owner = owner_of(quote.customer)
        subscription = accepted(quote, auto_renew=True, by=owner)
        assert (subscription.consent.text, subscription.consent.given_by) == (shown, owner)

    def test_names_the_last_day_of_the_trial(self):
        quote = quoted(version=on_sale(terms(basic("99.00"), trial_days=14)))
        begun = checkout.begun(quote, at=MARCH_FIRST)
        with override("en"):
            shown = beginnings.agreement(quote.price_version, begun, auto_renew=True)
        assert "The trial ends on March 14, 2025." in shown

    def test_holds_the_price_though_its_sale_has_ended(self):
        customer, version = funded_customer("1000.00"), on_sale()
        quote = quoted(customer, version)
        repriced(version.package, terms(basic("199.00"), seats(1)), at=MARCH_FIRST + HOUR)
        accepted(quote, at=MARCH_FIRST + 2 * HOUR)
        assert left(customer) == cny("901.00")

    def test_does_not_hold_it_for_longer_than_it_said(self):
        quote = quoted()
        with pytest.raises(QuoteExpired):
            accepted(quote, at=quote.expires_at)
        assert not Subscription.objects.exists()

    def test_buys_nothing_else_than_was_shown(self):
        customer = funded_customer("1000.00")
        version = on_sale(terms(basic("99.00"), trial_days=14))
        quote = quoted(customer, version)
        trial = bought(customer, version, at=MARCH_FIRST - 20 * DAY, auto_renew=False, quote=quote)
        subscriptions.cancel(subscription_id=trial.pk, at=MARCH_FIRST)
        with pytest.raises(QuoteExpired):  # it said that nothing is taken
            accepted(quote)
        assert left(customer) == cny("1000.00")

    def test_twice_is_once(self):
        quote = quoted()
        first, again = accepted(quote), accepted(quote, auto_renew=True)
        assert first == again
        assert Charge.objects.count() == Consent.objects.count() == 1

    def test_refuses_a_second_quote_of_the_same_package(self):
        customer, version = funded_customer("1000.00"), on_sale()
        one, other = quoted(customer, version), quoted(customer, version)
        accepted(one)
        with pytest.raises(AlreadySubscribed):
            accepted(other)
        assert left(customer) == cny("901.00")

    def test_refuses_when_the_wallet_lacks_money_and_writes_nothing(self):
        quote = quoted(funded_customer("98.99"))
        with pytest.raises(InsufficientFunds):
            accepted(quote)
        quote.refresh_from_db()
        assert (quote.consent, quote.subscription) == (None, None)

    def test_refuses_viewers_strangers_and_frozen_customers(self):
        quote = quoted()
        for by in (member_of(quote.customer), owner_of(open_customer("别家"))):
            with pytest.raises(NotAllowed):
                accepted(quote, by=by)
        customers.freeze(customer_id=quote.customer_id, reason="x", at=MARCH_FIRST, by=None)
        with pytest.raises(CustomerFrozen):
            accepted(quote, by=owner_of(quote.customer))
        assert not Subscription.objects.exists()

    def test_is_for_finance_people_too(self):
        quote = quoted()
        accepted(quote, by=member_of(quote.customer, Member.Role.FINANCE))


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


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_acceptances_are_one_subscription(self):
        quote = quoted()
        result = race([lambda: accepted(quote).pk for _ in range(4)])
        assert not result.broken
        assert len(result.won) == 4 and len(set(result.won)) == 1
        assert (Subscription.objects.count(), Charge.objects.count()) == (1, 1)
        prove()

    def test_two_quotes_of_one_package_are_one_subscription(self):
        customer, version = funded_customer("1000.00"), on_sale()
        quotes = [quoted(customer, version) for _ in range(4)]
        result = race([lambda quote=quote: accepted(quote).pk for quote in quotes])
        assert not result.broken
        assert (len(result.won), result.refused) == (1, {"already_subscribed"})
        assert left(customer) == cny("901.00")
        prove()

    def test_going_on_beside_a_click_buys_once(self, fake_gateway):
        customer = open_customer()
        quote = quoted(customer)
        topup = topped_up_first(quote)
        at = MARCH_FIRST + 2 * HOUR
        paid(topup, at=at)
        result = race([lambda: checkout.go_on(at=at), lambda: accepted(quote, at=at).pk] * 2)
        assert not result.broken and not result.refused
        assert (Subscription.objects.count(), left(customer)) == (1, cny(0))
        prove()


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
