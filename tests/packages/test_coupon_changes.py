"""
Changing what was bought with a coupon: shares are of what is paid, and never more comes back.
"""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_billing import outbox
from packages import agreements, changes, charges, coupons, explain, redemptions
from packages.changes import NothingChanges
from packages.changing import ChangeStale
from packages.models import Charge, CouponUse, Package, PriceVersion, Subscription
from packages.redemptions import CouponRefused
from tests.factories import cny, funded_customer
from tests.packages.becoming import by_month_and_year, changed
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.couponing import coupon
from tests.packages.renewing import DAY, now, swept, told
from tests.packages.shelf import basic, calls, feature, once, seats, terms
from wallet.books import violations

pytestmark = pytest.mark.django_db

COUPONS = ["FIFTH", "TEN", "FREE", "ONCE", "SMALL"]
MARCH_11 = shanghai(2025, 3, 11)


def two(**scope) -> tuple[PriceVersion, PriceVersion]:
    return (
        on_sale(terms(basic("300.00")), code="small"),
        on_sale(terms(basic("900.00")), code="big"),
    )


def planned(subscription, version, seats_wanted=1, at=MARCH_11):
    whole = Subscription.objects.whole().get(pk=subscription.pk)
    return changes.plan(whole, version=version, seats=seats_wanted, at=at)


class TestInTheTerm:
    def test_shares_are_of_the_prices_with_it(self):
        small, big = two()
        customer = funded_customer("1000.00")
        subscription = bought(customer, small, coupon=coupon())
        plan = planned(subscription, big)
        changed(subscription, big)
        [charge] = Charge.objects.filter(kind="CHANGE")
        assert [line["amount_minor"] for line in charge.lines] == [-16258, 48774]
        assert charge.amount == plan.due == charges.recompute(charge.lines, "CNY")
        assert left(customer) == cny("434.84")
        assert plan.following.each_term == cny("720.00")

    def test_keep_the_coupon_the_term_began_with_though_it_is_over(self):
        small, big = two()
        subscription = bought(funded_customer("2000.00"), small, coupon=coupon(terms=1))
        plan = planned(subscription, big)
        changed(subscription, big)
        charge = Charge.objects.get(kind="CHANGE")
        assert [line["amount_minor"] for line in charge.lines] == [-16258, 48774]
        assert plan.following.each_term == cny("900.00")

    def test_know_no_coupon_that_only_comes_with_the_next_term(self):
        small, big = two()
        subscription = bought(funded_customer("2000.00"), small)
        one = coupon()
        coupons.enter(subscription_id=subscription.pk, code=one.code, at=MARCH_11 - DAY)
        plan = planned(subscription, big)
        assert [part.amount for part in plan.parts] == [cny("-203.23"), cny("609.68")]
        assert plan.following.each_term == cny("720.00")

    def test_end_a_coupon_that_is_not_for_the_new_package_and_say_so(self):
        small, big = two()
        one = coupon(packages=[Package.objects.get(code="small")])
        subscription = bought(funded_customer("2000.00"), small, coupon=one)
        plan = planned(subscription, big)
        assert (plan.coupon_ends, plan.following.each_term) == ("SPRING20", cny("900.00"))
        with override("en"):
            assert "SPRING20" in agreements.change_agreement(plan, subscription)
        changed(subscription, big)
        charge = Charge.objects.get(kind="CHANGE")
        assert [line["amount_minor"] for line in charge.lines] == [-16258, 60968]
        assert redemptions.live(subscription) is None

    def test_say_how_long_it_holds_after_it(self):
        small, big = two()
        subscription = bought(funded_customer("2000.00"), small, coupon=coupon(terms=3))
        with override("en"):
            text = agreements.change_agreement(planned(subscription, big), subscription)
        assert "2 times for ¥720.00 a month, then for ¥900.00 a month" in text

    def test_give_nothing_back_of_what_was_free(self):
        small, big = two()
        subscription = bought(funded_customer("1000.00"), small, coupon=coupon(bps=10_000, terms=1))
        changed(subscription, big)
        assert not Charge.objects.exists()  # the whole term is free, of the bigger plan as well
        assert now(subscription).package.code == "big"

    def test_tell_the_coupon_with_the_share(self):
        small, big = two()
        subscription = bought(funded_customer("2000.00"), small, coupon=coupon())
        changed(subscription, big)
        with override("en"):
            told_lines = explain.explain(Charge.objects.get(kind="CHANGE")).lines
        assert all("SPRING20" in line.steps[0].told for line in told_lines)

    def test_of_an_amount_split_it_anew(self):
        small = on_sale(terms(basic("90.00"), feature("30.00")), code="small")
        big = on_sale(terms(basic("270.00"), feature("30.00")), code="big")
        subscription = bought(funded_customer("1000.00"), small, coupon=coupon(amount=cny("12.00")))
        plan = planned(subscription, big, at=subscription.periods.get().starts_at)
        assert plan.due == cny("180.00")


class TestByANewTerm:
    def test_begins_with_the_coupon_and_takes_a_term_of_it(self):
        month, year = by_month_and_year(monthly="99.00", yearly="990.00")
        subscription = bought(funded_customer("2000.00"), month, coupon=coupon(terms=2))
        plan = planned(subscription, year)
        changed(subscription, year)
        charge = Charge.objects.get(kind="TERM")
        assert [line["amount_minor"] for line in charge.lines] == [-5365, 0, 79200, 0]
        assert charges.recompute(charge.lines, "CNY") == charge.amount == plan.due
        assert plan.following.each_term == cny("990.00")
        use = CouponUse.objects.get()
        assert (use.terms_left, use.is_live) == (0, False)
        assert now(subscription).periods.get(number=2).coupon_use == use

    def test_costs_the_full_price_when_the_coupon_is_over(self):
        month, year = by_month_and_year(monthly="99.00", yearly="990.00")
        subscription = bought(funded_customer("2000.00"), month, coupon=coupon(terms=1))
        changed(subscription, year)
        lines = Charge.objects.get(kind="TERM").lines
        assert [line["amount_minor"] for line in lines] == [-5365, 0, 99000, 0]
        assert now(subscription).periods.get(number=2).coupon_use is None


class TestStale:
    def test_what_was_shown_before_a_coupon_was_taken_off(self):
        small, big = two()
        subscription = bought(funded_customer("2000.00"), small, coupon=coupon())
        coupons.take_off(subscription_id=subscription.pk, at=MARCH_11 + timedelta(minutes=1))
        with pytest.raises(ChangeStale):
            changed(subscription, big, at=MARCH_11 + timedelta(minutes=2), quoted_at=MARCH_11)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    begins_with=st.sampled_from([None, *COUPONS]),
    steps=st.lists(
        st.tuples(
            st.integers(1, 20 * 24),
            st.sampled_from(
                [
                    "seats1",
                    "seats4",
                    "seats12",
                    "small",
                    "big",
                    "year",
                    "off",
                    "FIFTH",
                    "TEN",
                    "FREE",
                    "ONCE",
                    "SMALL",
                ]
            ),
        ),
        max_size=6,
    ),
)
def test_any_sequence_recomputes_and_never_pays_out_more_than_was_paid(begins_with, steps):
    with transaction.atomic():
        month, year = by_month_and_year(code="small")
        big = on_sale(terms(basic("300.00"), seats(1), calls(), once("50.00")), code="big")
        known = {
            "FIFTH": coupon("FIFTH"),
            "TEN": coupon("TEN", amount=cny("10.00"), terms=2, most_per_customer=9),
            "FREE": coupon("FREE", bps=10_000, terms=1),
            "ONCE": coupon("ONCE", bps=3_333, terms=1, most_per_customer=9),
            "SMALL": coupon("SMALL", packages=[month.package], bps=5_000),
        }
        wanted = {"small": month, "big": big, "year": year}
        customer = funded_customer("100000.00")
        subscription = bought(customer, month, coupon=begins_with and known[begins_with])
        at = subscription.created_at
        for hours, step in steps:
            at += timedelta(hours=hours)
            while now(subscription).paid_until <= at:
                due = now(subscription).paid_until
                told(due - 6 * DAY)
                swept(due)
                told(due + DAY)
                swept(due + 8 * DAY)
            try:
                if step.startswith("seats"):
                    changed(subscription, count=int(step.removeprefix("seats")), at=at)
                elif step in wanted:
                    changed(subscription, wanted[step], at=at)
                elif step == "off":
                    coupons.take_off(subscription_id=subscription.pk, at=at)
                else:
                    coupons.enter(subscription_id=subscription.pk, code=step, at=at)
            except (NothingChanges, ChangeStale, CouponRefused):
                continue
        outbox.relay(at=at)
        assert not any(violations().values())
        by_period: dict[tuple[int, str], int] = {}
        for charge in Charge.objects.order_by("pk"):
            assert charge.amount_minor > 0
            assert charges.recompute(charge.lines, "CNY") == charge.amount
            for line in charge.lines:
                place = charge.period_number, line["code"]
                if "ticks" in line and line["amount_minor"] < 0 and charge.kind == "TERM":
                    place = charge.period_number - 1, line["code"]
                by_period[place] = by_period.get(place, 0) + line["amount_minor"]
        assert all(amount >= 0 for amount in by_period.values())
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)
