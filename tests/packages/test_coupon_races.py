"""
Many customers for the last use of a coupon: one gets it, the others are told.

The control run looks at what is left without raising the count under a lock: then everybody goes
on, and only the constraints stand between them and a coupon used too often.
"""

import time

import pytest

from packages import coupons, redemptions
from packages.models import Charge, Coupon, CouponUse, Subscription
from packages.redemptions import CouponUsedUp
from tests.factories import cny, funded_customer
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale
from tests.packages.couponing import coupon
from tests.packages.renewing import DAY
from tests.wallet.racing import prove, race

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 20


def buyers(one: Coupon, count: int = MANY):
    """
    Return so many purchases with a coupon, each by a customer of its own.
    """
    version = on_sale()
    customers = [funded_customer("100.00") for _ in range(count)]
    return [lambda who=who: bought(who, version, coupon=one) for who in customers]


@pytest.fixture
def no_lock(monkeypatch):
    """
    Look at the count, let everybody else look as well, then write one more than was seen.
    """

    def look_then_write(coupon):
        seen = Coupon.objects.get(pk=coupon.pk)
        time.sleep(0.2)
        if seen.most_uses is not None and seen.used >= seen.most_uses:
            return False
        return bool(Coupon.objects.filter(pk=coupon.pk).update(used=seen.used + 1))

    monkeypatch.setattr(redemptions, "_count", look_then_write)


class TestLastUse:
    def test_goes_to_one(self):
        one = coupon(most_uses=1)
        result = race(buyers(one))
        assert len(result.won) == 1
        assert len(result.of(CouponUsedUp)) == MANY - 1
        assert not result.broken
        one.refresh_from_db()
        assert one.used == CouponUse.objects.count() == Subscription.objects.count() == 1
        assert [charge.amount for charge in Charge.objects.all()] == [cny("79.20")]
        prove()

    def test_of_five_goes_to_five(self):
        one = coupon(most_uses=5)
        result = race(buyers(one))
        assert len(result.won) == 5 and not result.broken
        assert sorted(CouponUse.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5]
        prove()

    def test_without_the_lock_others_fail_but_it_is_not_used_twice(self, no_lock):
        one = coupon(most_uses=1)
        result = race(buyers(one))
        assert result.broken
        one.refresh_from_db()
        assert one.used == CouponUse.objects.count() == Subscription.objects.count() == 1
        prove()


class TestOneCustomer:
    def test_uses_it_for_one_of_many_subscriptions(self):
        coupon()
        customer = funded_customer("5000.00")
        begun = [bought(customer, on_sale(code=f"p{place}")) for place in range(8)]
        at = MARCH_FIRST + DAY
        result = race(
            [
                lambda one=one: coupons.enter(subscription_id=one.pk, code="SPRING20", at=at)
                for one in begun
            ]
        )
        assert len(result.won) == 1
        assert result.refused == {"coupon_used_before"}
        assert not result.broken
        assert left(customer) == cny("5000.00") - 8 * cny("99.00")

    def test_enters_one_of_two_for_a_subscription(self):
        for code in ("SPRING20", "OTHER"):
            coupon(code)
        subscription = bought()
        at = MARCH_FIRST + DAY
        result = race(
            [
                lambda code=code: coupons.enter(subscription_id=subscription.pk, code=code, at=at)
                for code in ("SPRING20", "OTHER") * 10
            ]
        )
        assert len(result.won) == 1
        assert result.refused == {"coupon_taken"}
        assert sum(Coupon.objects.values_list("used", flat=True)) == 1
