from datetime import timedelta

import pytest
from djmoney.money import Money

from accounts import customers
from accounts.customers import CustomerFrozen, NotAllowed
from packages import coupons, redemptions, subscriptions
from packages.acting import SubscriptionEnded
from packages.coupons import BadCoupon, CouponDecided
from packages.models import Charge, Coupon, CouponUse, Package, PriceVersion
from packages.redemptions import (
    CouponElsewhere,
    CouponOver,
    CouponRefused,
    CouponTaken,
    CouponUnknown,
    CouponUsedBefore,
    CouponUsedUp,
)
from tests.factories import NOON, cny, funded_customer, member_of, open_customer, owner_of, staff
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale
from tests.packages.couponing import coupon, drafted, facts
from tests.packages.shelf import basic, offer, once, published, seats, terms

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


class TestDraft:
    def test_writes_what_it_is_to_be(self):
        pro = published()
        one = drafted("spring 20", [pro], terms=3, most_uses=100, most_per_customer=2)
        assert (one.code, one.bps, one.amount, one.terms) == ("SPRING20", 2_000, None, 3)
        assert (one.most_uses, one.most_per_customer, one.used) == (100, 2, 0)
        assert list(one.packages.all()) == [pro]
        assert not one.is_open

    def test_writes_a_draft_anew(self):
        drafted(packages=[published()])
        again = drafted(amount=cny("5.00"))
        assert (again.bps, again.amount) == (None, cny("5.00"))
        assert not again.packages.exists()
        assert Coupon.objects.count() == 1

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"bps": 10_001}, "bps"),
            ({"bps": 0}, "bps"),
            ({"bps": 1, "amount": cny("1.00")}, "bps"),
            ({"amount": cny("0.00")}, "amount"),
            ({"amount": Money("1.00", "XAF")}, "currency"),
            ({"valid_to": NOON}, "valid_to"),
            ({"terms": 0}, "terms"),
            ({"most_uses": 0}, "most_uses"),
            ({"most_per_customer": 0}, "most_per_customer"),
            ({"code": "A_B"}, "code"),
            ({"code": "AB"}, "code"),
            ({"name": ""}, "name"),
        ],
    )
    def test_refuses_what_contradicts_itself(self, more, field):
        with pytest.raises(BadCoupon) as refusal:
            drafted(**more)
        assert refusal.value.data["field"] == field

    def test_refuses_top_up_packages(self):
        with pytest.raises(BadCoupon):
            drafted(packages=[published(offer(), code="thousand", kind="TOP_UP")])

    def test_does_not_touch_what_is_published(self):
        coupon()
        with pytest.raises(CouponDecided):
            drafted(bps=9_999)

    def test_is_for_staff_who_publish(self):
        draft = {"facts": facts(), "at": NOON}
        with pytest.raises(NotAllowed):
            coupons.draft(by=staff("SUPPORT"), **draft)
        assert coupons.draft(by=staff("ADMIN"), **draft).created_by is not None


class TestPublish:
    def test_once(self):
        one = coupon()
        assert one.is_open
        with pytest.raises(CouponDecided):
            coupons.publish(coupon_id=one.pk, at=NOON, by=None)

    def test_never_what_was_ended(self):
        one = drafted()
        coupons.end(coupon_id=one.pk, at=NOON, by=None)
        with pytest.raises(CouponDecided):
            coupons.publish(coupon_id=one.pk, at=NOON, by=None)

    def test_never_what_would_be_over(self):
        one = drafted(valid_to=NOON + DAY)
        with pytest.raises(BadCoupon):
            coupons.publish(coupon_id=one.pk, at=NOON + DAY, by=None)

    def test_is_for_staff_who_publish(self):
        one, support = drafted(), staff("SUPPORT")
        for act in (coupons.publish, coupons.end):
            with pytest.raises(NotAllowed):
                act(coupon_id=one.pk, at=NOON, by=support)


class TestEnd:
    def test_once_and_who_uses_it_keeps_it(self):
        one = coupon()
        subscription = bought(coupon=one)
        coupons.end(coupon_id=one.pk, at=MARCH_FIRST, by=None)
        assert redemptions.live(subscription).coupon == one
        with pytest.raises(CouponDecided):
            coupons.end(coupon_id=one.pk, at=MARCH_FIRST, by=None)


def found(code="SPRING20", customer=None, version=None, *, at=MARCH_FIRST, count=1) -> Coupon:
    return redemptions.find(
        code=code,
        customer=customer or open_customer(),
        price_version=version or on_sale(),
        seats=count,
        at=at,
    )


class TestFind:
    @pytest.mark.parametrize(
        "entered", ["SPRING20", " spring20\n", "spring 20", "ＳＰＲＩＮＧ２０"]
    )
    def test_reads_codes_as_people_write_them(self, entered):
        one = coupon()
        assert found(entered) == one

    def test_knows_no_drafts_and_none_that_begins_later(self):
        drafted()
        coupon("LATER", valid_from=NOON + DAY)
        version = on_sale()
        for code in ("SPRING20", "LATER", "NEVER", ""):
            with pytest.raises(CouponUnknown):
                found(code, version=version)

    def test_refuses_what_is_over(self):
        coupon(valid_to=NOON + DAY)
        ended = coupon("ENDED")
        coupons.end(coupon_id=ended.pk, at=NOON, by=None)
        assert found(at=NOON + DAY - timedelta(seconds=1))
        for code, at in (("SPRING20", NOON + DAY), ("ENDED", NOON)):
            with pytest.raises(CouponOver):
                found(code, at=at, version=PriceVersion.objects.whole().get())

    def test_refuses_other_packages(self):
        coupon(packages=[published(code="small")])
        with pytest.raises(CouponElsewhere, match=r"(?i)pro"):
            found(version=on_sale(code="pro"))

    def test_refuses_another_currency(self):
        coupon(amount=Money("5.00", "USD"))
        with pytest.raises(CouponElsewhere, match="USD"):
            found()

    def test_refuses_what_takes_nothing_off(self):
        coupon()
        version = on_sale(terms(basic("0.00"), seats(3)))
        with pytest.raises(CouponElsewhere):
            found(version=version, count=3)
        assert found(version=version, count=4)

    def test_refuses_what_is_used_up_and_what_one_has_used(self):
        one = coupon(most_uses=1)
        version = on_sale(code="small")
        mine = bought(version=version, coupon=one).customer
        with pytest.raises(CouponUsedUp):
            found(version=version)
        with pytest.raises(CouponUsedBefore):
            found(customer=mine, version=version)


class TestSubscribe:
    def test_pays_less_and_counts(self):
        customer = funded_customer("1000.00")
        version = on_sale(terms(basic("99.00"), seats(1), once()))
        one = coupon(terms=3)
        subscription = bought(customer, version, seats=3, coupon=one, by=owner_of(customer))
        assert left(customer) == cny("380.80")  # 79.20 + 40.00 + 500.00
        charge = Charge.objects.get()
        assert charge.amount == cny("619.20")
        [use] = CouponUse.objects.all()
        assert (use.number, use.nth, use.terms_left, use.is_live) == (1, 1, 2, True)
        assert (use.subscription, use.used_by) == (subscription, owner_of(customer))
        assert subscription.periods.get().coupon_use == use
        one.refresh_from_db()
        assert one.used == 1

    def test_with_one_for_a_single_term_is_over_at_once(self):
        subscription = bought(coupon=coupon(terms=1))
        assert redemptions.live(subscription) is None
        assert subscription.periods.get().coupon_use.ended_at == MARCH_FIRST

    def test_of_all_of_it_takes_and_writes_nothing(self):
        customer = open_customer()
        subscription = bought(customer, coupon=coupon(bps=10_000))
        assert subscription.state == "ACTIVE"
        assert not Charge.objects.exists()
        assert subscription.periods.get().amount == cny(0)

    def test_keeps_it_whole_through_a_trial(self):
        subscription = bought(version=on_sale(terms(trial_days=14)), coupon=coupon(terms=2))
        assert redemptions.live(subscription).terms_left == 2
        assert subscription.periods.get().coupon_use is None

    def test_says_so_in_what_is_agreed_to(self):
        subscription = bought(coupon=coupon(terms=2))
        text = subscription.consent.text
        assert "SPRING20" in text
        assert "79.20" in text and "99.00" in text

    def test_refuses_what_cannot_be_used_and_takes_nothing(self):
        customer, one = funded_customer("1000.00"), coupon(packages=[published(code="other")])
        with pytest.raises(CouponElsewhere):
            bought(customer, coupon=one)
        assert left(customer) == cny("1000.00")
        assert not CouponUse.objects.exists()

    def test_uses_it_once_for_a_customer(self):
        one = coupon(most_per_customer=2)
        customer = funded_customer("1000.00")
        small, big, more = (on_sale(code=code) for code in ("small", "big", "more"))
        bought(customer, small, coupon=one)
        bought(customer, big, coupon=one)
        with pytest.raises(CouponUsedBefore):
            bought(customer, more, coupon=one)
        assert list(CouponUse.objects.values_list("number", "nth")) == [(1, 1), (2, 2)]


def entered(subscription, code="SPRING20", *, at=MARCH_FIRST + DAY, **options) -> CouponUse:
    return coupons.enter(subscription_id=subscription.pk, code=code, at=at, **options)


def taken_off(subscription, *, at=MARCH_FIRST + DAY, **options) -> CouponUse:
    return coupons.take_off(subscription_id=subscription.pk, at=at, **options)


class TestEnter:
    def test_holds_from_the_next_term_on(self):
        subscription = bought()
        coupon(terms=2)
        use = entered(subscription, "spring20", by=owner_of(subscription.customer))
        assert (use.terms_left, use.used_by) == (2, owner_of(subscription.customer))
        assert left(subscription.customer) == cny("901.00")

    def test_refuses_a_second_one_until_the_first_is_off(self):
        subscription = bought(coupon=coupon())
        coupon("OTHER")
        with pytest.raises(CouponTaken):
            entered(subscription, "OTHER")
        taken_off(subscription)
        assert entered(subscription, "OTHER").is_live
        with pytest.raises(CouponUsedBefore):
            taken_off(subscription)
            entered(subscription)

    def test_looks_at_the_package_it_will_be(self):
        big, small = on_sale(terms(basic("300.00")), code="big"), on_sale(code="small")
        coupon(packages=[Package.objects.get(code="big")])
        subscription = bought(version=big)
        subscriptions.change(subscription_id=subscription.pk, price_version=small, at=MARCH_FIRST)
        with pytest.raises(CouponElsewhere, match=r"(?i)small"):
            entered(subscription)

    def test_is_for_people_who_may_spend(self):
        subscription = bought()
        coupon()
        viewer = member_of(subscription.customer)
        with pytest.raises(NotAllowed):
            entered(subscription, by=viewer)
        entered(subscription)
        with pytest.raises(NotAllowed):
            taken_off(subscription, by=viewer)

    def test_refuses_the_frozen_and_what_has_ended(self):
        coupon()
        frozen = bought(open_customer(), on_sale(terms(trial_days=14), code="small"))
        customers.freeze(customer_id=frozen.customer_id, reason="x", at=MARCH_FIRST, by=None)
        with pytest.raises(CustomerFrozen):
            entered(frozen)
        over = bought(version=on_sale(code="big"), auto_renew=False)
        subscriptions.cancel(subscription_id=over.pk, at=over.paid_until)
        with pytest.raises(SubscriptionEnded):
            entered(over)


class TestTakeOff:
    def test_ends_it_and_keeps_it_counted(self):
        one = coupon()
        subscription = bought(coupon=one)
        use = taken_off(subscription, by=owner_of(subscription.customer))
        assert use.ended_at == MARCH_FIRST + DAY
        assert use.ended_by == owner_of(subscription.customer)
        one.refresh_from_db()
        assert one.used == 1

    def test_refuses_where_there_is_none(self):
        with pytest.raises(CouponRefused):
            taken_off(bought())
