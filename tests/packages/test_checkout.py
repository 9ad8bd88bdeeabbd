import pytest
from django.utils.translation import override

from accounts import customers
from accounts.customers import CustomerFrozen, NotAllowed
from accounts.models import Consent, Member
from packages import beginnings, catalogue, checkout, subscriptions
from packages.beginnings import AlreadySubscribed
from packages.catalogue import NotOnSale
from packages.checkout import QuoteExpired
from packages.models import Charge, Subscription
from packages.seating import BadSeats
from tests.factories import cny, funded_customer, member_of, open_customer, owner_of
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale
from tests.packages.checking_out import DAY, HOUR, accepted, paid, quoted, topped_up_first
from tests.packages.shelf import LATER, basic, offer, once, published, repriced, seats, terms
from tests.wallet.racing import prove, race
from wallet import topups
from wallet.ledger import InsufficientFunds

pytestmark = pytest.mark.django_db


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
