from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import customers
from accounts.customers import CustomerFrozen, NotAllowed
from accounts.models import Consent, Member
from accounts.roles import ADMIN, FINANCE_MAKER
from packages import beginnings, catalogue, charges, subscriptions
from packages.acting import SubscriptionEnded
from packages.beginnings import AlreadySubscribed
from packages.catalogue import NotOnSale
from packages.models import Charge, Subscription, SubscriptionPeriod
from packages.seating import BadSeats
from tests.factories import (
    cny,
    funded_customer,
    member_of,
    open_customer,
    owner_of,
    staff,
)
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale, shanghai
from tests.packages.shelf import (
    LATER,
    basic,
    by_year,
    calls,
    feature,
    offer,
    once,
    published,
    repriced,
    seats,
    terms,
)
from wallet import holds
from wallet.ledger import InsufficientFunds
from wallet.models import JournalEntry

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


class TestSubscribe:
    def test_takes_the_first_term_and_begins_at_the_days_midnight(self):
        customer = funded_customer("1000.00")
        version = on_sale(terms(basic("99.00"), seats(1), once("500.00"), calls()))
        subscription = bought(customer, version, seats=3, at=shanghai(2025, 3, 31, 20))
        assert left(customer) == cny("351.00")  # 99 + 2 seats at 25 + 500 once
        [period] = subscription.periods.all()
        assert (period.starts_at, period.ends_at) == (shanghai(2025, 3, 31), shanghai(2025, 4, 30))
        assert (subscription.state, subscription.paid_until) == ("ACTIVE", period.ends_at)
        entry = JournalEntry.objects.get(charge__subscription=subscription)
        assert entry.reference == f"subscription:{subscription.pk}:2025-03-31"
        assert entry.description == "pro 版 2025-03-31 – 2025-04-29"

    def test_explains_its_charge_by_lines_that_recompute_it(self):
        tiered = terms(basic("99.00"), seats(1), once("500.00"), calls(), feature("12.34"))
        bought(funded_customer("1000.00"), on_sale(tiered), seats=14)
        charge = Charge.objects.get()
        assert [line["code"] for line in charge.lines] == ["base", "seats", "setup", "exports"]
        assert charge.amount == cny("926.34")  # 99 + (10 × 25 + 3 × 20 + 5) + 500 + 12.34
        assert charges.recompute(charge.lines, "CNY") == charge.amount

    def test_keeps_what_was_agreed_to_word_for_word(self):
        customer = funded_customer("1000.00")
        owner = owner_of(customer)
        subscription = bought(customer, by=owner)
        consent = Consent.objects.get()
        assert (subscription.consent, consent.given_by) == (consent, owner)
        assert consent.version == subscription.price_version.terms_version
        assert "99.00" in consent.text and consent.text == Charge.objects.get().consent.text

    def test_renews_by_itself_only_when_agreed_to(self):
        subscription = bought(auto_renew=False)
        assert (subscription.auto_renew, subscription.consent) == (False, None)
        assert subscription.will_end

    def test_takes_bonus_and_principal_as_the_wallet_does(self):
        customer = funded_customer("50.00", bonus="60.00")
        bought(customer)
        assert left(customer) == cny("11.00")

    def test_refuses_when_the_wallet_lacks_a_fen_and_writes_nothing(self):
        customer = funded_customer("98.99")
        with pytest.raises(InsufficientFunds) as refusal:
            bought(customer)
        assert refusal.value.data["available"] == cny("98.99")
        assert left(customer) == cny("98.99")
        assert not Subscription.objects.exists() and not Consent.objects.exists()

    def test_leaves_held_money_alone(self):
        customer = funded_customer("100.00")
        holds.place(customer=customer, amount=cny("2.00"), reference="h", at=MARCH_FIRST)
        with pytest.raises(InsufficientFunds):
            bought(customer)

    def test_gives_a_trial_once_for_nothing(self):
        customer = open_customer()
        version = on_sale(terms(basic("99.00"), trial_days=14))
        subscription = bought(customer, version, at=shanghai(2025, 3, 2, 9))
        assert (subscription.state, subscription.had_trial) == ("TRIAL", True)
        assert subscription.paid_until == shanghai(2025, 3, 16)
        assert str(subscription.anchor_on) == "2025-03-16"
        assert not Charge.objects.exists()
        subscriptions.cancel(subscription_id=subscription.pk, at=shanghai(2025, 3, 20))
        with pytest.raises(InsufficientFunds):
            bought(customer, version, at=shanghai(2025, 3, 21))

    def test_charges_nothing_for_what_is_free(self):
        free = on_sale(terms(basic("0.00"), calls(hard_limit=Decimal(1000))))
        subscription = bought(open_customer(), free)
        assert subscription.periods.get().amount == cny("0.00")
        assert not Charge.objects.exists()

    def test_counts_in_the_zone_of_its_customer(self):
        customer = funded_customer("1000.00", time_zone="America/New_York")
        subscription = bought(customer, at=shanghai(2025, 3, 2, 1))  # March 1st, noon
        period = subscription.periods.get()
        assert period.starts_at.isoformat() == "2025-03-01T05:00:00+00:00"
        assert period.ends_at.isoformat() == "2025-04-01T04:00:00+00:00"  # summer time

    def test_refuses_a_second_one_of_the_same_package(self):
        customer, version = funded_customer("1000.00"), on_sale()
        known = bought(customer, version)
        with pytest.raises(AlreadySubscribed) as refusal:
            bought(customer, version)
        assert refusal.value.data["number"] == known.number
        assert left(customer) == cny("901.00")

    def test_sells_each_package_apart(self):
        customer = funded_customer("1000.00")
        bought(customer, on_sale(code="pro"))
        bought(customer, on_sale(code="max"))
        assert left(customer) == cny("802.00")

    @pytest.mark.parametrize("count", [0, -1, 51, 10**7])
    def test_refuses_seats_that_are_not_sold(self, count):
        version = on_sale(terms(basic(), seats(1, hard_limit=Decimal(50))))
        with pytest.raises(BadSeats) as refusal:
            bought(version=version, seats=count)
        assert refusal.value.data["field"] == "seats"

    def test_refuses_seats_of_what_has_none(self):
        with pytest.raises(BadSeats):
            bought(version=on_sale(terms(basic())), seats=2)

    def test_refuses_what_is_not_on_sale(self):
        version = on_sale()
        catalogue.retire(package_id=version.package_id, at=LATER, by=None)
        with pytest.raises(NotOnSale):
            bought(version=version, at=LATER)

    def test_refuses_a_price_made_for_somebody_else(self):
        package = published(terms(basic()))
        own = repriced(package, terms(basic("1.00")), customer=open_customer("别家"))
        with pytest.raises(NotOnSale):
            bought(funded_customer("1000.00"), own, at=LATER)

    def test_refuses_top_up_packages(self):
        package = published(offer(), code="bonus", kind="TOP_UP")
        with pytest.raises(NotOnSale):
            bought(version=package.prices.get())

    def test_refuses_frozen_customers_even_for_nothing(self):
        customer = open_customer()
        free = on_sale(terms(basic("0.00")))
        customers.freeze(customer_id=customer.pk, reason="x", at=MARCH_FIRST, by=None)
        with pytest.raises(CustomerFrozen):
            bought(customer, free)

    def test_is_for_owners_and_finance_people(self):
        customer, version = funded_customer("1000.00"), on_sale()
        for by in (member_of(customer), owner_of(open_customer("别家")), staff(ADMIN)):
            with pytest.raises(NotAllowed):
                bought(customer, version, by=by)
        bought(customer, version, by=member_of(customer, Member.Role.FINANCE))


class TestCancel:
    def test_lets_it_run_until_the_end_of_what_is_paid(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer)
        owner = owner_of(customer)
        after = subscriptions.cancel(subscription_id=subscription.pk, at=LATER - DAY, by=owner)
        assert (after.state, after.auto_renew, after.cancelled_by) == ("ACTIVE", False, owner)
        assert after.paid_until == subscription.paid_until

    def test_twice_is_once(self):
        subscription = bought()
        first = subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST + DAY)
        again = subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST + 2 * DAY)
        assert again.cancelled_at == first.cancelled_at

    def test_ends_at_once_what_is_paid_no_more(self):
        subscription = bought()
        after = subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST + 60 * DAY)
        assert (after.state, after.ended_at) == ("ENDED", MARCH_FIRST + 60 * DAY)
        with pytest.raises(SubscriptionEnded):
            subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST + 61 * DAY)

    def test_is_for_the_customers_people_and_staff_with_the_right(self):
        subscription = bought()
        for by in (member_of(subscription.customer), staff(FINANCE_MAKER)):
            with pytest.raises(NotAllowed):
                subscriptions.cancel(subscription_id=subscription.pk, at=LATER, by=by)
        subscriptions.cancel(subscription_id=subscription.pk, at=LATER, by=staff(ADMIN))


class TestRenewAutomatically:
    def test_takes_a_cancellation_back_by_a_consent(self):
        subscription = bought()
        subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST + DAY)
        owner = owner_of(subscription.customer)
        after = subscriptions.renew_automatically(
            subscription_id=subscription.pk, at=MARCH_FIRST + 2 * DAY, by=owner
        )
        assert (after.auto_renew, after.cancelled_at) == (True, None)
        assert (after.consent.purpose, after.consent.given_by) == ("AUTO_RENEW", owner)

    def test_is_not_for_staff_nor_viewers(self):
        subscription = bought(auto_renew=False)
        for by in (member_of(subscription.customer), staff(ADMIN)):
            with pytest.raises(NotAllowed):
                subscriptions.renew_automatically(subscription_id=subscription.pk, at=LATER, by=by)

    def test_comes_too_late_after_the_end(self):
        subscription = bought()
        subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST + 60 * DAY)
        with pytest.raises(SubscriptionEnded):
            subscriptions.renew_automatically(
                subscription_id=subscription.pk, at=MARCH_FIRST + 61 * DAY
            )


class TestFirst:
    def test_says_what_subscribing_does(self):
        customer = funded_customer("2000.00")
        version = on_sale(by_year(terms(basic(), seats(1)), "990.00"))
        shown = beginnings.first(customer=customer, price_version=version, seats=4, at=MARCH_FIRST)
        subscription = bought(customer, version, seats=4)
        period = SubscriptionPeriod.objects.get(subscription=subscription)
        assert (shown.due, shown.starts_at, shown.ends_at) == (
            period.amount,
            period.starts_at,
            period.ends_at,
        )
