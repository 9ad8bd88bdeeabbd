from datetime import timedelta

import pytest
from django.utils.translation import override

from accounts import consents
from accounts.consents import Circumstances, NotRead
from packages import agreements, coupons, pausing, price_moves, quotes, subscriptions
from packages.models import CouponUse
from tests.factories import funded_customer
from tests.packages.becoming import by_month_and_year, changed
from tests.packages.buying import MARCH_FIRST, bought, on_sale
from tests.packages.couponing import coupon
from tests.packages.moving import asked, carried_on, moved
from tests.packages.renewing import DAY, now
from tests.packages.resting import JUNE
from tests.packages.shelf import basic, calls, once, seats, terms

ZONE = "Asia/Shanghai"
TRIAL = {"trial_until": MARCH_FIRST + timedelta(days=14)}


def agreed(price=None, *, auto_renew: bool, language="en", **options) -> str:
    quote = quotes.price(price or terms(basic("99.00"), calls(1000)))
    with override(language):
        return agreements.agreement("Pro", quote, auto_renew=auto_renew, zone=ZONE, **options)


class TestAgreement:
    @pytest.mark.parametrize(
        ("language", "never"),
        [("en", ["each month", "a month", "each renewal"]), ("zh-hans", ["每月", "每次续费"])],
    )
    @pytest.mark.parametrize("options", [{}, TRIAL])
    def test_tells_of_no_later_charges_where_it_does_not_renew(self, language, never, options):
        price = terms(basic("99.00"), calls(1000), trial_days=14)
        text = agreed(price, auto_renew=False, language=language, **options)
        assert not [one for one in never if one in text], text

    def test_says_what_holds_where_it_does_not_renew(self):
        text = agreed(auto_renew=False)
        assert "When: Once, when you begin. It does not go on by itself." in text
        assert "Usage beyond what is included happens only if you have allowed it" in text
        assert "How to stop: There is nothing to stop." in text

    def test_says_what_holds_where_it_renews(self):
        text = agreed(auto_renew=True)
        assert "When: When you begin, and then each month on the same day" in text
        assert "How much: ¥99.00 a month from your wallet" in text
        assert "before each renewal you get an e-mail" in text

    def test_of_a_trial_that_ends_takes_nothing(self):
        price = terms(basic("99.00"), trial_days=14)
        assert "How much: Nothing.\n" in agreed(price, auto_renew=False, **TRIAL)

    def test_tells_of_a_trial_only_who_has_one(self):
        price = terms(basic("99.00"), trial_days=14)
        assert "trial" not in agreed(price, auto_renew=True)
        text = agreed(price, auto_renew=True, **TRIAL)
        assert "Then when the trial ends, and each month on the same day" in text
        assert "When you begin" not in text


TRIED = terms(basic("99.00"), once("50.00"), trial_days=14)
PAID = terms(basic("99.00"), once("50.00"))
DEARER = terms(basic("120.00"), once("60.00"), trial_days=30)
ONCE = "is paid once, with the first term that is paid."
FIRST_OF_THESE = "With the first of these terms"


@pytest.mark.django_db
class TestRenewal:
    def agreed(self, subscription) -> str:
        with override("en"):
            return subscriptions.renewal_agreement(now(subscription))

    def test_of_a_trial_begins_when_that_ends(self):
        text = self.agreed(bought(version=on_sale(TRIED), auto_renew=False))
        assert "When: After the trial, which ends on March 14, 2025, and then each month" in text
        assert f"{FIRST_OF_THESE} ¥50.00 is paid, once." in text and f"¥50.00 {ONCE}" in text

    def test_of_what_is_paid_tells_nothing_of_what_was_paid_once(self):
        text = self.agreed(bought(version=on_sale(PAID), auto_renew=False))
        assert "When: When the running term ends, and then each month on the same day" in text
        assert "¥99.00 a month" in text and "¥50.00" not in text

    def test_is_of_what_was_scheduled(self):
        customer = funded_customer("3000.00")
        subscription = bought(customer, on_sale(terms(basic("900.00"), seats(1)), code="big"))
        changed(subscription, on_sale(terms(basic("99.00"), seats(1)), code="small"))
        subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST)
        text = self.agreed(subscription)
        assert text.startswith("Big\nSeats: 1\nWhen the term ends it becomes Small, as is sched")
        assert "¥99.00 a month" in text and "¥900.00" not in text

    def test_of_another_term_of_the_same_package_says_that_its_price_changes(self):
        month, year = by_month_and_year()
        subscription = bought(funded_customer("3000.00"), year)
        changed(subscription, month)
        text = self.agreed(subscription)
        assert "When the term ends its price changes, as is scheduled." in text
        assert "¥99.00 a month" in text and "becomes" not in text


@pytest.mark.django_db
class TestAnotherPrice:
    def agreed(self, subscription, new=DEARER, *, holds_from=None) -> str:
        moved(subscription.price_version, new, at=MARCH_FIRST + DAY, holds_from=holds_from)
        carried_on(MARCH_FIRST + DAY)
        with override("en"):
            return price_moves.agreement(asked(subscription), now(subscription))

    @pytest.mark.parametrize("old", [PAID, TRIED])
    def test_tells_nothing_of_what_is_paid_once_by_then(self, old):
        text = self.agreed(bought(version=on_sale(old)))
        assert "¥120.00 a month" in text and "¥60.00" not in text
        assert "30 days are a trial" not in text

    def test_tells_of_it_who_first_pays_then(self):
        long = terms(basic("99.00"), once("50.00"), trial_days=60)
        text = self.agreed(bought(version=on_sale(long)))
        assert f"{FIRST_OF_THESE} ¥60.00 is paid, once." in text and f"¥60.00 {ONCE}" in text
        assert "After the trial, which ends on April 29, 2025" in text


@pytest.mark.django_db
class TestPause:
    def test_tells_what_it_goes_on_as_and_for_how_much(self):
        customer, half = funded_customer("3000.00"), coupon(bps=5_000, terms=3)
        subscription = bought(customer, on_sale(terms(basic("900.00")), code="big"), coupon=half)
        changed(subscription, on_sale(PAID, code="small"))
        with override("en"):
            text = pausing.agreement(now(subscription), JUNE)
        assert "it goes on by itself.\nAt least 5 days before that" in text
        assert "When the term ends it becomes Small, as is scheduled." in text
        assert "It renews by itself 2 times for ¥49.50 a month, then for ¥99.00 a month" in text
        assert f"{FIRST_OF_THESE} ¥50.00 is paid, once." in text and "SPRING20" in text


@pytest.mark.django_db
class TestCoupon:
    def test_for_the_scheduled_plan_outlives_a_change_of_seats(self):
        big, small = on_sale(terms(basic("900.00"), seats(1)), code="big"), on_sale(code="small")
        customer = funded_customer("3000.00")
        subscription = bought(customer, big)
        changed(subscription, small)
        coupon(packages=[small.package])
        coupons.enter(subscription_id=subscription.pk, code="SPRING20", at=MARCH_FIRST + DAY)
        with override("en"):
            text = changed(now(subscription), count=2).consent.text
        assert "ends with the change" not in text
        assert "¥99.20 a month" in text
        assert CouponUse.objects.live().filter(subscription=subscription).exists()


@pytest.mark.django_db
class TestRead:
    def shown(self, subscription) -> Circumstances:
        text = subscriptions.renewal_agreement(now(subscription))
        return Circumstances(read=frozenset({consents.digest(text), "another"}))

    def test_is_what_is_kept(self):
        subscription = bought(auto_renew=False)
        shown = self.shown(subscription)
        made = renew(subscription, shown)
        assert consents.digest(made.consent.text) in shown.read

    def test_is_never_another_text(self):
        customer = funded_customer("3000.00")
        subscription = bought(customer, on_sale(terms(basic("900.00")), code="big"))
        made = changed(subscription, on_sale(PAID, code="small"))
        subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST)
        shown = self.shown(subscription)
        subscriptions.revoke_change(change_id=made.pk, at=MARCH_FIRST + DAY)
        with pytest.raises(NotRead):
            renew(subscription, shown)
        assert not now(subscription).auto_renew


def renew(subscription, circumstances):
    return subscriptions.renew_automatically(
        subscription_id=subscription.pk, at=MARCH_FIRST + DAY, circumstances=circumstances
    )
