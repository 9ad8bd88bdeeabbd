from datetime import timedelta

import pytest
from django.utils.translation import override

from packages import agreements, pausing, price_moves, quotes, subscriptions
from tests.factories import funded_customer
from tests.packages.becoming import changed
from tests.packages.buying import MARCH_FIRST, bought, on_sale
from tests.packages.couponing import coupon
from tests.packages.moving import asked, carried_on, moved
from tests.packages.renewing import now
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
ONCE = "¥50.00 is paid once, with the first term that is paid."


@pytest.mark.django_db
class TestRenewal:
    def agreed(self, subscription) -> str:
        with override("en"):
            return subscriptions.renewal_agreement(now(subscription))

    def test_of_a_trial_begins_when_that_ends(self):
        text = self.agreed(bought(version=on_sale(TRIED), auto_renew=False))
        assert "Then when the trial ends, and each month on the same day" in text
        assert "When you begin" not in text
        assert "With the first of these terms ¥50.00 is paid, once." in text and ONCE in text

    def test_of_what_is_paid_tells_nothing_of_what_was_paid_once(self):
        text = self.agreed(bought(version=on_sale(PAID), auto_renew=False))
        assert "¥99.00 a month" in text and "¥50.00" not in text

    def test_is_of_what_was_scheduled(self):
        customer = funded_customer("3000.00")
        subscription = bought(customer, on_sale(terms(basic("900.00"), seats(1)), code="big"))
        changed(subscription, on_sale(terms(basic("99.00"), seats(1)), code="small"))
        subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_FIRST)
        text = self.agreed(subscription)
        assert text.startswith("Big\nSeats: 1\nWhen the term ends it becomes Small, as was agreed")
        assert "¥99.00 a month" in text and "¥900.00" not in text


@pytest.mark.django_db
class TestOthers:
    def test_of_another_price_tells_what_was_paid_once_only_who_tries_it(self):
        dearer = terms(basic("120.00"), once("50.00"), trial_days=14)
        paid = bought(version=on_sale(PAID))
        moved(paid.price_version, dearer)
        carried_on(MARCH_FIRST + timedelta(days=1))
        with override("en"):
            text = price_moves.agreement(asked(paid), now(paid))
        assert "¥120.00 a month" in text and "¥50.00" not in text and "trial" not in text

    def test_of_a_pause_tells_what_it_goes_on_for(self):
        customer, half = funded_customer("3000.00"), coupon(bps=5_000, terms=3)
        subscription = bought(customer, on_sale(terms(basic("900.00")), code="big"), coupon=half)
        changed(subscription, on_sale(PAID, code="small"))
        with override("en"):
            text = pausing.agreement(now(subscription), JUNE)
        assert "it goes on by itself.\nIt renews by itself 2 times for ¥49.50 a month, then" in text
        assert "With the first of these terms ¥50.00 is paid, once." in text
