"""
Coupons while time passes: announced and charged as long as they hold, and in full after that.
"""

import pytest

from packages import charges, coupons, pausing, renewals, subscriptions
from packages.changes import NotNow
from packages.models import Charge, CouponUse, Notice, Package, PriceVersion
from packages.renewals import RenewalReport
from tests.factories import cny, fund, funded_customer, open_customer
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.couponing import coupon
from tests.packages.renewing import DAY, announced, now, renewed, swept, told
from tests.packages.shelf import basic, published, seats, terms
from tests.packages.test_pausing import JUNE, MAY_10, paused, resumed

pytestmark = pytest.mark.django_db


def charged() -> list[str]:
    """
    Return what was taken, one deduction after the other; every one recomputes.
    """
    found = list(Charge.objects.order_by("pk"))
    for one in found:
        assert charges.recompute(one.lines, one.currency) == one.amount
    return [str(one.amount.amount) for one in found]


def announced_amounts() -> list[str]:
    return [str(one.amount.amount) for one in Notice.objects.filter(kind="RENEWAL").order_by("pk")]


class TestTerms:
    def test_are_cheaper_as_long_as_it_holds_then_in_full(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer, coupon=coupon(terms=3))
        renewed(subscription, count=4)
        assert charged() == ["79.20", "79.20", "79.20", "99.00", "99.00"]
        assert announced_amounts() == ["79.20", "79.20", "99.00", "99.00"]
        assert left(customer) == cny("564.40")
        use = CouponUse.objects.get()
        assert (use.terms_left, use.periods.count()) == (0, 3)
        assert use.ended_at == subscription.periods.get(number=3).starts_at

    def test_are_cheaper_for_ever_where_it_has_no_end(self):
        renewed(bought(coupon=coupon(amount=cny("10.00"))), count=3)
        assert charged() == ["89.00"] * 4
        assert CouponUse.objects.get().is_live

    def test_begin_after_a_trial(self):
        version = on_sale(terms(basic("99.00"), trial_days=14))
        renewed(bought(version=version, coupon=coupon(terms=1)), count=2)
        assert charged() == ["79.20", "99.00"]

    def test_of_all_of_it_are_neither_charged_nor_announced_and_counted(self):
        customer = open_customer()
        subscription = bought(customer, coupon=coupon(bps=10_000, terms=2))
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        assert not Notice.objects.filter(kind="RENEWAL").exists()
        assert not Charge.objects.exists()
        assert CouponUse.objects.get().terms_left == 0
        told(now(subscription).paid_until - 6 * DAY)
        assert announced_amounts() == ["99.00"]

    def test_are_counted_when_renewed_alone_and_not_when_put_off(self):
        customer = funded_customer("80.00")
        subscription = announced(bought(customer, coupon=coupon(terms=3)))
        assert swept(subscription.paid_until) == RenewalReport(insufficient=1)
        assert CouponUse.objects.get().terms_left == 2
        fund(customer, "100.00", at=subscription.paid_until)
        report = renewals.retry(customer_id=customer.pk, at=subscription.paid_until + DAY)
        assert report == RenewalReport(ok=1)
        assert CouponUse.objects.get().terms_left == 1
        assert charged() == ["79.20", "79.20"]

    def test_of_many_are_written_together(self):
        version, once, twice = on_sale(), coupon("ONCE", terms=1), coupon("TWICE", terms=2)
        begun = [bought(version=version, coupon=one) for one in (None, once, twice)]
        told(begun[0].paid_until - 6 * DAY)
        assert swept(begun[0].paid_until) == RenewalReport(ok=3)
        assert charged()[3:] == ["99.00", "99.00", "79.20"]
        assert [one.periods.get(number=2).coupon_use_id for one in begun] == [
            None,
            None,
            twice.uses.get().pk,
        ]

    def test_say_why_they_were_cheaper(self):
        renewed(bought(coupon=coupon()))
        [base, *_rest] = Charge.objects.get(kind="RENEWAL").lines
        assert base["steps"][1]["coupon"] == "SPRING20"
        assert base["steps"][1]["bps"] == 2_000


def entered(subscription, at, code="SPRING20"):
    return coupons.enter(subscription_id=subscription.pk, code=code, at=at)


class TestBetween:
    def test_entered_before_the_notice_it_is_announced_and_charged(self):
        subscription = bought()
        coupon(terms=1)
        entered(subscription, subscription.created_at + DAY)
        renewed(subscription, count=2)
        assert charged() == ["99.00", "79.20", "99.00"]
        assert announced_amounts() == ["79.20", "99.00"]

    def test_entered_after_the_notice_it_is_announced_again_and_charged_at_once(self):
        subscription = announced(bought())
        coupon(terms=1)
        entered(subscription, subscription.paid_until - 2 * DAY)
        told(subscription.paid_until - DAY)
        assert announced_amounts() == ["99.00", "79.20"]
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        assert charged() == ["99.00", "79.20"]

    def test_taken_off_after_the_notice_the_full_price_waits_for_its_own(self):
        subscription = announced(bought(coupon=coupon()))
        coupons.take_off(subscription_id=subscription.pk, at=subscription.paid_until - 2 * DAY)
        told(subscription.paid_until - DAY)
        assert announced_amounts() == ["79.20", "99.00"]
        assert swept(subscription.paid_until) == RenewalReport(waiting=1)
        assert charged() == ["79.20"]
        assert swept(subscription.paid_until + 5 * DAY) == RenewalReport(ok=1)
        assert charged() == ["79.20", "99.00"]

    def test_is_not_taken_off_while_the_term_is_unpaid(self):
        subscription = announced(bought(funded_customer("80.00"), coupon=coupon()))
        assert swept(subscription.paid_until) == RenewalReport(insufficient=1)
        with pytest.raises(NotNow):
            coupons.take_off(subscription_id=subscription.pk, at=subscription.paid_until + DAY)

    def test_entered_while_it_is_unpaid_it_is_paid_with_what_is_there(self):
        customer = funded_customer("180.00")
        subscription = announced(bought(customer))
        assert swept(subscription.paid_until) == RenewalReport(insufficient=1)
        coupon()
        at = subscription.paid_until + DAY
        entered(subscription, at)
        assert renewals.retry(customer_id=customer.pk, at=at) == RenewalReport(ok=1)
        assert charged() == ["99.00", "79.20"]

    def test_run_out_with_the_term_before_the_full_price_is_announced_in_time(self):
        subscription = bought(coupon=coupon(terms=1))
        told(subscription.paid_until - 6 * DAY)
        assert announced_amounts() == ["99.00"]
        assert swept(subscription.paid_until) == RenewalReport(ok=1)

    def test_low_balances_are_warned_of_by_the_discounted_price(self):
        subscription = announced(bought(funded_customer("150.00"), coupon=coupon()))
        told(subscription.paid_until - 3 * DAY)
        [warning] = Notice.objects.filter(kind="LOW_BALANCE")
        assert warning.amount == cny("79.20")
        assert "8.40" in warning.text

    def test_ended_by_staff_it_goes_on_for_who_uses_it(self):
        one = coupon(terms=2)
        subscription = bought(coupon=one)
        coupons.end(coupon_id=one.pk, at=subscription.created_at, by=None)
        renewed(subscription, count=2)
        assert charged() == ["79.20", "79.20", "99.00"]


class TestScheduled:
    def test_change_to_a_package_it_is_not_for_ends_it(self):
        big = on_sale(terms(basic("300.00"), seats(1)), code="big")
        small = on_sale(code="small")
        one = coupon(packages=[Package.objects.get(code="big")])
        subscription = bought(version=big, coupon=one)
        subscriptions.change(
            subscription_id=subscription.pk, price_version=small, at=shanghai(2025, 3, 11)
        )
        assert CouponUse.objects.get().is_live
        renewed(subscription, count=2)
        assert charged() == ["240.00", "99.00", "99.00"]
        assert announced_amounts() == ["99.00", "99.00"]
        assert not CouponUse.objects.get().is_live

    def test_change_to_another_it_is_for_takes_it_along(self):
        month = terms(basic("300.00"), seats(1))
        package = published(month, code="big")
        big = PriceVersion.objects.whole().get(package=package)
        small = on_sale(code="small")
        subscription = bought(version=big, coupon=coupon(terms=2))
        subscriptions.change(
            subscription_id=subscription.pk, price_version=small, at=shanghai(2025, 3, 11)
        )
        renewed(subscription, count=2)
        assert charged() == ["240.00", "79.20", "99.00"]


class TestPaused:
    def test_is_kept_for_the_term_after_it(self):
        rested = paused(coupon=coupon(terms=2))
        told(JUNE - 6 * DAY)
        assert swept(JUNE) == RenewalReport(ok=1)
        assert charged() == ["79.20", "79.20"]
        assert CouponUse.objects.get().terms_left == 0
        announced(now(rested))
        swept(now(rested).paid_until)
        assert charged()[-1] == "99.00"

    def test_is_used_by_going_on_early(self):
        rested = paused(coupon=coupon(terms=2))
        shown = pausing.resumption(rested, at=MAY_10)
        resumed(rested, at=MAY_10)
        assert charged() == ["79.20", str(shown.due.amount)] == ["79.20", "79.20"]
        assert CouponUse.objects.get().terms_left == 0


def test_is_kept_by_what_begins_anew_after_a_suspension():
    customer = funded_customer("80.00")
    subscription = announced(bought(customer, coupon=coupon(terms=2)))
    for day in (0, 7, 14):
        swept(subscription.paid_until + day * DAY)
    assert now(subscription).state == "SUSPENDED"
    at = subscription.paid_until + 20 * DAY
    fund(customer, "100.00", at=at)
    assert renewals.retry(customer_id=customer.pk, at=at) == RenewalReport(ok=1)
    assert charged() == ["79.20", "79.20"]
    assert now(subscription).paid_until > at
