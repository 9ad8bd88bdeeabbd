"""
What becomes of a renewal that cannot be paid, step by step.
"""

import pytest

from packages import renewals, subscriptions
from packages.models import Notice
from packages.renewals import RenewalReport
from tests.factories import cny, fund, funded_customer
from tests.packages.buying import bought, left, shanghai
from tests.packages.renewing import DAY, announced, now, swept

pytestmark = pytest.mark.django_db


class TestDunning:
    def test_goes_down_step_by_step_and_ends(self):
        customer = funded_customer("99.00")
        begun = bought(customer)
        announced(begun)
        due = begun.paid_until
        states = {}
        at = due
        while at is not None:
            swept(at)
            one = now(begun)
            states[(at - due).days] = one.state
            at = one.next_try_at
        assert states == {
            0: "PAST_DUE",
            1: "PAST_DUE",
            3: "PAST_DUE",
            5: "PAST_DUE",
            7: "RESTRICTED",
            10: "RESTRICTED",
            13: "RESTRICTED",
            14: "SUSPENDED",
            30: "ENDED",
        }
        notices = Notice.objects.filter(kind="DUNNING").order_by("step")
        assert [one.step for one in notices] == [0, 1, 3, 7, 13, 14, 30]
        assert left(customer) == cny("0.00")

    def test_is_saved_by_money_and_keeps_the_anchor(self):
        customer = funded_customer("99.00")
        begun = announced(bought(customer))
        swept(begun.paid_until)
        swept(begun.paid_until + 7 * DAY)
        assert now(begun).state == "RESTRICTED"
        fund(customer, "99.00", at=begun.paid_until + 8 * DAY)
        assert renewals.retry(customer_id=customer.pk, at=begun.paid_until + 8 * DAY) == (
            RenewalReport(ok=1)
        )
        after = now(begun)
        assert (after.state, after.past_due_at) == ("ACTIVE", None)
        assert after.paid_until == shanghai(2025, 5, 1)
        assert after.periods.get(number=2).starts_at == begun.paid_until

    def test_begins_anew_on_the_day_money_comes_after_a_suspension(self):
        customer = funded_customer("99.00")
        begun = announced(bought(customer))
        for days in (0, 7, 14):
            swept(begun.paid_until + days * DAY)
        assert now(begun).state == "SUSPENDED"
        at = shanghai(2025, 4, 20, 15)
        fund(customer, "99.00", at=at)
        assert renewals.retry(customer_id=customer.pk, at=at) == RenewalReport(ok=1)
        after = now(begun)
        second = after.periods.get(number=2)
        assert (second.starts_at, second.previous_number) == (shanghai(2025, 4, 20), None)
        assert (after.paid_until, str(after.anchor_on), after.anchor_number) == (
            shanghai(2025, 5, 20),
            "2025-04-20",
            2,
        )
        announced(after)
        assert swept(after.paid_until) == RenewalReport(insufficient=1)

    def test_jumps_over_steps_that_were_missed(self):
        begun = announced(bought(funded_customer("99.00")))
        swept(begun.paid_until)
        swept(begun.paid_until + 20 * DAY)
        assert now(begun).state == "SUSPENDED"

    def test_cancelling_while_past_due_ends_at_once(self):
        begun = announced(bought(funded_customer("99.00")))
        swept(begun.paid_until)
        after = subscriptions.cancel(subscription_id=begun.pk, at=begun.paid_until + DAY)
        assert (after.state, after.past_due_at) == ("ENDED", None)

    def test_counts_credit_that_has_expired_as_missing(self):
        customer = funded_customer("99.00", bonus="99.00")  # the bonus lives 30 days
        begun = announced(bought(customer))  # takes the bonus first
        fund(customer, "1.00", bonus="99.00")
        # 99.00 of it are out of date by then, though the clockwork has not taken them out yet
        assert left(customer) == cny("199.00")
        with_bonus = swept(begun.paid_until)
        assert with_bonus == RenewalReport(ok=1)
        announced(now(begun))
        fund_left = now(begun).paid_until
        assert swept(fund_left) == RenewalReport(insufficient=1)
        assert now(begun).state == "PAST_DUE"
