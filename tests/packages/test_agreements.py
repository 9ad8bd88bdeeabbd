from datetime import timedelta

import pytest
from django.utils.translation import override

from packages import agreements, quotes
from tests.packages.buying import MARCH_FIRST
from tests.packages.shelf import basic, calls, terms

ZONE = "Asia/Shanghai"
TRIAL = {"now": True, "trial_until": MARCH_FIRST + timedelta(days=14)}


def agreed(price=None, *, auto_renew: bool, language="en", **options) -> str:
    quote = quotes.price(price or terms(basic("99.00"), calls(1000)))
    with override(language):
        return agreements.agreement("Pro", quote, auto_renew=auto_renew, zone=ZONE, **options)


class TestAgreement:
    @pytest.mark.parametrize(
        ("language", "never"),
        [("en", ["each month", "a month", "each renewal"]), ("zh-hans", ["每月", "每次续费"])],
    )
    @pytest.mark.parametrize("options", [{"now": True}, TRIAL])
    def test_tells_of_no_later_charges_where_it_does_not_renew(self, language, never, options):
        price = terms(basic("99.00"), calls(1000), trial_days=14)
        text = agreed(price, auto_renew=False, language=language, **options)
        assert not [one for one in never if one in text], text

    def test_says_what_holds_where_it_does_not_renew(self):
        text = agreed(auto_renew=False, now=True)
        assert "When: Once, when you begin. It does not go on by itself." in text
        assert "Usage beyond what is included happens only if you have allowed it" in text
        assert "How to stop: There is nothing to stop." in text

    def test_says_what_holds_where_it_renews(self):
        text = agreed(auto_renew=True, now=True)
        assert "When: When you begin, and then each month on the same day" in text
        assert "How much: ¥99.00 a month from your wallet" in text
        assert "before each renewal you get an e-mail" in text

    def test_of_a_trial_that_ends_takes_nothing(self):
        price = terms(basic("99.00"), trial_days=14)
        assert "How much: Nothing." in agreed(price, auto_renew=False, **TRIAL)

    def test_tells_of_a_trial_only_who_has_one(self):
        price = terms(basic("99.00"), trial_days=14)
        assert "trial" not in agreed(price, auto_renew=True, now=True)
        text = agreed(price, auto_renew=True, **TRIAL)
        assert "Then when the trial ends, and each month on the same day" in text
        assert "When you begin" not in text
