"""
What a customer may use is always told as of now.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import customers
from packages import billing, entitlements, reckoning, subscriptions
from packages.entitlements import check, every
from packages.models import Subscription
from tests.factories import NOON, cny, fund, funded_customer, open_customer
from tests.packages.buying import bought, on_sale
from tests.packages.metering import correction, event, meter, recorded
from tests.packages.renewing import DAY, announced, swept
from tests.packages.shelf import basic, feature, fee, once, seats, terms
from tests.packages.using import (
    MARCH_10,
    MARCH_20,
    allowed,
    billed,
    calls,
    capped,
    final,
    metered,
    stopped,
    used,
)

pytestmark = pytest.mark.django_db
TENTHS = ({"up_to": None, "unit_price": "0.004"},)  # fractions of a fen


def of(subscription: Subscription, code: str = "api_calls", *, at=MARCH_20, **options):
    return check(subscription.customer, code, at=at, **options)


def told(decision) -> tuple[bool, str]:
    return decision.allowed, decision.reason


class TestCheck:
    def test_allows_a_feature_of_a_package(self):
        subscription = bought(version=on_sale(terms(basic(), feature())))
        assert told(of(subscription, "exports")) == (True, "")

    def test_refuses_what_is_in_no_package(self):
        on_sale(terms(basic("9.00"), feature()), code="dear")
        on_sale(terms(basic("5.00"), feature()), code="cheap")
        decision = check(open_customer(), "exports", at=MARCH_20)
        assert told(decision) == (False, "not_in_plan")
        assert decision.next_plan == "cheap"

    def test_does_not_count_what_was_bought_once(self):
        subscription = bought(version=on_sale(terms(basic(), once())))
        assert told(of(subscription, "setup")) == (False, "not_in_plan")

    def test_counts_seats(self):
        meter("seats", "LAST")
        subscription = bought(version=on_sale(terms(basic(), seats(1))), seats=3)
        recorded(subscription.customer, event(2, meter="seats", at=MARCH_10), at=MARCH_10)
        decision = of(subscription, "seats")
        assert (decision.limit, decision.used, decision.left) == (3, 2, 1)
        assert told(of(subscription, "seats", quantity=Decimal(2))) == (False, "seats_taken")

    def test_adds_up_the_seats_of_all_packages(self):
        meter("seats", "LAST")
        first = bought(version=on_sale(terms(basic(), seats(1))), seats=3)
        more = on_sale(terms(basic("10.00"), seats(1)), code="more")
        bought(first.customer, more, seats=2, at=MARCH_10)
        recorded(first.customer, event(4, meter="seats", at=MARCH_10), at=MARCH_10)
        decision = of(first, "seats")
        assert (decision.limit, decision.used, decision.left) == (5, 4, 1)
        [told_of_all] = [one for one in every(first.customer, at=MARCH_20) if one.limit]
        assert told_of_all == decision

    def test_leaves_out_the_seats_of_a_package_that_has_ended(self):
        first = bought(version=on_sale(terms(basic(), seats(1))), seats=3, auto_renew=False)
        more = on_sale(terms(basic("10.00"), seats(1)), code="more")
        second = bought(first.customer, more, seats=2, at=MARCH_20)
        assert of(second, "seats", at=first.paid_until).limit == 2

    def test_allows_a_feature_that_any_package_has(self):
        first = bought(version=on_sale(terms(basic(), feature())), auto_renew=False)
        second = on_sale(terms(basic("10.00"), feature()), code="more")
        bought(first.customer, second, at=MARCH_20)
        assert told(of(first, "exports", at=first.paid_until)) == (True, "")

    def test_tells_of_frozen_customers(self):
        subscription = metered()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing is pending, as after COMMIT
        customers.freeze(customer_id=subscription.customer_id, reason="x", at=MARCH_10, by=None)
        assert told(of(subscription)) == (False, "customer_frozen")


class TestQuota:
    def test_tells_what_is_left_and_until_when(self):
        subscription = metered()
        used(subscription, 400, at=MARCH_10)
        decision = of(subscription)
        assert told(decision) == (True, "")
        assert (decision.limit, decision.used, decision.left) == (1000, 400, 600)
        assert decision.resets_at == subscription.paid_until

    def test_refuses_the_first_beyond_it(self):
        subscription = metered()
        used(subscription, 999, at=MARCH_10)
        assert told(of(subscription)) == (True, "")
        used(subscription, 1, at=MARCH_10)
        assert told(of(subscription)) == (False, "quota_reached")

    @pytest.mark.parametrize("quantity", [19_999, 20_000, 20_001])
    def test_ends_with_what_is_included_though_one_more_rounds_to_nothing(self, quantity):
        subscription = metered(calls(20_000, tiers=TENTHS))
        used(subscription, quantity, at=MARCH_10)
        decision = of(subscription)
        assert (decision.limit, decision.left) == (20_000, max(20_000 - quantity, 0))
        assert told(decision) == ((True, "") if quantity < 20_000 else (False, "quota_reached"))

    def test_leaves_free_what_costs_nothing_at_all(self):
        tiers = ({"up_to": "500", "unit_price": "0"}, *TENTHS)
        subscription = metered(calls(1000, model="GRADUATED", tiers=tiers))
        used(subscription, 1200, at=MARCH_10)
        assert (of(subscription).limit, of(subscription).left) == (1500, 300)

    def test_names_the_package_that_would_give_more(self):
        on_sale(terms(basic("900.00"), calls(5000)), code="big")
        subscription = metered(no_meter=True)
        used(subscription, 1000, at=MARCH_10)
        assert of(subscription).next_plan == "big"

    def test_follows_corrections(self):
        subscription = metered()
        first = event(1000, at=MARCH_10)
        recorded(subscription.customer, first, at=MARCH_10)
        recorded(subscription.customer, correction(first, -1), at=MARCH_10)
        assert told(of(subscription)) == (True, "")

    def test_begins_anew_with_the_term(self):
        subscription = metered()
        used(subscription, 1000, at=MARCH_10)
        announced(subscription)
        swept(subscription.paid_until)
        decision = of(subscription, at=subscription.paid_until)
        assert (decision.used, decision.allowed) == (0, True)

    def test_stops_at_the_hard_limit(self):
        subscription = metered(calls(1000, hard_limit=Decimal(1200)))
        allowed(subscription)
        used(subscription, 1200, at=MARCH_10)
        decision = of(subscription)
        assert told(decision) == (False, "hard_limit_reached")
        assert decision.limit == 1200

    def test_leaves_trials_what_is_included(self):
        meter()
        subscription = bought(version=on_sale(terms(basic(), calls(), trial_days=14)))
        allowed(subscription)
        used(subscription, 1000, at=MARCH_10)
        assert told(of(subscription, at=MARCH_10)) == (False, "amount_reached")


class TestBeyond:
    def test_goes_on_where_it_was_allowed(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1000, at=MARCH_10)
        assert told(of(subscription)) == (True, "")

    def test_stops_where_the_amount_ends(self):
        subscription = metered()
        allowed(subscription, "3.00")
        used(subscription, 1100, at=MARCH_10)
        decision = of(subscription)
        assert (decision.limit, decision.left) == (1300, 200)
        used(subscription, 200, at=MARCH_10)
        assert told(of(subscription)) == (False, "amount_reached")

    @pytest.mark.parametrize("quantity", [1302, 1304, 1306])
    def test_stops_at_what_a_cap_made_later_finds_used(self, quantity):
        subscription = metered(calls(1000, tiers=TENTHS))
        allowed(subscription)
        used(subscription, quantity, at=MARCH_10)
        capped(subscription, "0.50", at=MARCH_20)
        decision = of(subscription)
        assert told(decision) == (False, "monthly_cap_reached")
        assert (decision.limit, decision.used, decision.left) == (quantity, quantity, 0)

    def test_stops_at_a_cap_that_was_passed(self):
        subscription = metered(calls(1000, tiers=TENTHS))
        allowed(subscription)
        capped(subscription, "0.50")
        used(subscription, 2000, at=MARCH_10)
        decision = of(subscription)
        assert told(decision) == (False, "monthly_cap_reached")
        assert (decision.limit, decision.left) == (1125, 0)

    def test_gives_all_of_a_package_that_is_bought(self):
        tiers = ({"up_to": None, "unit_price": "0.334"},)
        by_hundreds = calls(1000, model="PACKAGE", tiers=tiers, package_size=Decimal(100))
        subscription = metered(by_hundreds)
        allowed(subscription)
        used(subscription, 1110, at=MARCH_10)
        capped(subscription, "0.10", at=MARCH_20)
        decision = of(subscription)
        assert told(decision) == (True, "")
        assert (decision.limit, decision.left) == (1200, 90)

    def test_stops_at_the_cap_of_the_month(self):
        subscription = metered()
        allowed(subscription)
        capped(subscription, "2.00")
        used(subscription, 1200, at=MARCH_10)
        assert told(of(subscription)) == (False, "monthly_cap_reached")

    def test_stops_at_the_cap_of_the_feature(self):
        subscription = metered()
        allowed(subscription)
        capped(subscription, "2.00", code="api_calls")
        used(subscription, 1200, at=MARCH_10)
        assert told(of(subscription)) == (False, "feature_cap_reached")

    def test_goes_on_when_the_cap_is_raised_once(self):
        subscription = metered()
        allowed(subscription)
        capped(subscription, "2.00")
        used(subscription, 1200, at=MARCH_10)
        capped(subscription, "2.50", at=MARCH_20, once=True)
        assert of(subscription).left == 50

    def test_never_stops_what_is_included(self):
        subscription = metered()
        allowed(subscription)
        capped(subscription, "0.00")
        used(subscription, 500, at=MARCH_10)
        assert of(subscription).left == 500

    def test_stops_where_the_balance_ends(self):
        subscription = metered(balance="100.00")
        allowed(subscription)
        used(subscription, 1060, at=MARCH_10)
        assert of(subscription).left == 40
        used(subscription, 40, at=MARCH_10)
        assert told(of(subscription)) == (False, "balance_too_low")
        fund(subscription.customer, "1.00", at=MARCH_10)
        assert told(of(subscription)) == (True, "")

    def test_stops_while_earlier_use_is_unpaid(self):
        subscription = metered(balance="199.00")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        announced(subscription)
        swept(subscription.paid_until)
        at = final(subscription)
        billed(subscription)
        billing.settle(at=at)
        assert told(of(subscription, at=at)) == (True, "")
        used(subscription, 1000, at=at)
        assert told(of(subscription, at=at)) == (False, "use_unpaid")

    def test_stops_as_soon_as_it_is_stopped(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1100, at=MARCH_10)
        stopped(subscription, at=MARCH_10 + timedelta(hours=2))
        decision = of(subscription)
        assert told(decision) == (False, "quota_reached")
        assert decision.limit == 1100

    def test_asks_before_it_takes_shares_of_transactions(self):
        meter("collection", carries_value=True)
        subscription = metered(fee(), no_meter=True)
        assert told(of(subscription, "collection")) == (False, "not_authorised")
        allowed(subscription, code="collection")
        recorded(subscription.customer, event(1, meter="collection", value=cny("1000.00")))
        decision = of(subscription, "collection")
        assert (decision.allowed, decision.used, decision.limit) == (True, 1000, None)


class TestStates:
    @pytest.mark.parametrize(
        ("days", "said"),
        [(0, (True, "")), (6, (True, "")), (8, (False, "restricted")), (15, (False, "suspended"))],
    )
    def test_follow_dunning(self, days, said):
        subscription = metered(balance="99.00")
        announced(subscription)
        for day in range(days + 1):
            swept(subscription.paid_until + day * DAY)
        at = subscription.paid_until + days * DAY
        assert told(of(subscription, at=at)) == said

    def test_end_with_what_is_paid(self):
        subscription = metered(auto_renew=False)
        before = subscription.paid_until - timedelta(seconds=1)
        assert told(of(subscription, at=before)) == (True, "")
        assert told(of(subscription, at=subscription.paid_until)) == (False, "ended")

    def test_end_at_once_when_cancelled_unpaid(self):
        subscription = metered(balance="99.00")
        announced(subscription)
        swept(subscription.paid_until)
        subscriptions.cancel(subscription_id=subscription.pk, at=subscription.paid_until)
        decision = of(subscription, at=subscription.paid_until)
        assert told(decision) == (False, "not_in_plan")


class TestReach:
    @pytest.mark.parametrize("most", [0, 1, 99, 100, 101, 12345])
    def test_is_the_last_quantity_that_fits(self, most):
        one = calls(
            100,
            model="GRADUATED",
            tiers=(
                {"up_to": "500", "unit_price": "0.0123"},
                {"up_to": None, "unit_price": "0.007", "flat_price": "5"},
            ),
        )
        held = terms(basic(), one)
        units = entitlements.reach(held, one, most)

        def costs(quantity):
            return reckoning.cost(held, one, Decimal(quantity)).exact * 100

        assert costs(units) <= most < costs(units + 1)

    def test_has_no_end_where_nothing_costs(self):
        free = calls(0, tiers=({"up_to": None, "unit_price": "0"},))
        assert entitlements.reach(terms(basic(), free), free, 0) is None


def test_every_tells_all_features_at_once():
    subscription = metered(calls(), feature(), seats(1))
    found = every(subscription.customer, at=MARCH_20)
    assert [one.feature for one in found] == ["api_calls", "base", "exports", "seats"]
    assert all(one.allowed for one in found)


def test_asks_the_database_a_fixed_number_of_times():
    subscription = metered(calls(), feature())
    of(subscription)
    counts = []
    for _turn in range(2):
        with CaptureQueriesContext(connection) as asked:
            of(subscription)
        counts.append(len(asked))
        used(subscription, 10, at=MARCH_10)
    assert counts[0] == counts[1] <= 14


def test_a_customer_without_money_may_use_what_is_free():
    meter()
    version = on_sale(terms(basic("0.00"), calls(100)))
    subscription = bought(funded_customer("1.00"), version, at=NOON)
    assert of(subscription).left == 100
