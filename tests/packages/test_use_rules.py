from datetime import timedelta

import pytest

from packages import billing, renewals, subscriptions
from packages.models import UsageBill
from tests.factories import NOON, cny, fund
from tests.packages.buying import on_sale, shanghai
from tests.packages.metering import event, meter, recorded
from tests.packages.renewing import announced, now, swept
from tests.packages.shelf import basic, terms
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
    taken,
    used,
)

pytestmark = pytest.mark.django_db


class TestRules:
    def test_what_was_used_before_it_was_stopped_stays_owed(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1300, at=MARCH_10)
        stopped(subscription, at=MARCH_20)
        used(subscription, 1000, at=MARCH_20 + timedelta(days=1))
        assert taken(subscription) == cny("3.00")

    def test_what_was_used_before_the_term_was_paid_stays_owed(self):
        subscription = announced(metered(balance="99.00"))
        allowed(subscription)
        unpaid_at = subscription.paid_until
        swept(unpaid_at)
        used(subscription, 1500, at=unpaid_at + timedelta(days=1))
        stopped(subscription, at=unpaid_at + timedelta(days=2))
        fund(subscription.customer, "200.00", at=unpaid_at + timedelta(days=3))
        renewals.retry(customer_id=subscription.customer_id, at=unpaid_at + timedelta(days=3))
        again = now(subscription)
        assert (again.state, again.period_number) == ("ACTIVE", 2)
        billing.close(at=final(again))
        bill = UsageBill.objects.get(subscription=subscription, period_number=2)
        assert bill.amount == cny("5.00")

    def test_a_lower_amount_leaves_what_is_owed(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1300, at=MARCH_10)
        allowed(subscription, "1.00", at=MARCH_20)
        used(subscription, 1000, at=MARCH_20 + timedelta(days=1))
        assert taken(subscription) == cny("3.00")

    def test_a_rule_made_after_the_term_does_not_reach_back(self):
        subscription = metered()
        announced(subscription)
        used(subscription, 1500, at=MARCH_10)
        swept(subscription.paid_until)
        allowed(subscription, at=subscription.paid_until)
        assert taken(subscription) == cny(0)

    def test_a_cap_of_the_month_holds_for_all_use(self):
        subscription = metered()
        allowed(subscription)
        capped(subscription, "2.00")
        used(subscription, 1500, at=MARCH_10)
        assert taken(subscription) == cny("2.00")

    def test_a_cap_is_by_the_month_not_by_the_term(self):
        subscription = metered(at=shanghai(2025, 3, 16))
        allowed(subscription, at=shanghai(2025, 3, 16))
        capped(subscription, "2.00", at=shanghai(2025, 3, 16))
        used(subscription, 1500, at=MARCH_20)
        used(subscription, 150, at=shanghai(2025, 4, 3))
        assert taken(subscription) == cny("3.50")

    def test_a_cap_raised_once_holds_for_its_month_alone(self):
        subscription = metered(at=shanghai(2025, 3, 16))
        allowed(subscription, at=shanghai(2025, 3, 16))
        capped(subscription, "1.00", at=shanghai(2025, 3, 16))
        capped(subscription, "4.00", at=MARCH_20, once=True)
        used(subscription, 1500, at=MARCH_20 + timedelta(hours=2))
        used(subscription, 500, at=shanghai(2025, 4, 3))
        assert taken(subscription) == cny("5.00")

    def test_a_cap_taken_away_binds_no_more(self):
        subscription = metered()
        allowed(subscription)
        capped(subscription, "1.00")
        capped(subscription, None, at=MARCH_10)
        used(subscription, 1500, at=MARCH_10)
        assert taken(subscription) == cny("5.00")

    def test_a_cap_below_what_is_owed_leaves_that(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1300, at=MARCH_10)
        capped(subscription, "1.00", at=MARCH_20)
        used(subscription, 1000, at=MARCH_20 + timedelta(days=1))
        assert taken(subscription) == cny("3.00")

    def test_a_cap_of_a_feature_binds_that_feature(self):
        meter("sms")
        subscription = metered(calls(), calls(0, code="sms", name="短信", name_en="SMS"))
        allowed(subscription)
        allowed(subscription, code="sms")
        capped(subscription, "2.00", code="sms")
        recorded(subscription.customer, event(1100), event(900, meter="sms"))
        bill = billed(subscription)
        assert [line["amount_minor"] for line in bill.lines] == [100, 200]

    def test_caps_hold_over_all_subscriptions(self):
        meter("sms")
        first = metered(balance="5000.00")
        sms = on_sale(terms(basic(), calls(0, code="sms", name="短信", name_en="SMS")), code="sms")
        second = subscriptions.subscribe(
            customer=first.customer, price_version=sms, auto_renew=False, at=NOON
        )
        allowed(first)
        allowed(second, code="sms")
        capped(first, "6.00")
        recorded(first.customer, event(1500), event(900, meter="sms"))
        billing.close(at=final(first))
        amounts = UsageBill.objects.order_by("subscription").values_list("amount_minor", flat=True)
        assert list(amounts) == [500, 100]
