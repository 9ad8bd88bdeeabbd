from datetime import timedelta

import pytest

from accounts import customers
from accounts.models import Consent
from packages import charges, pausing, subscriptions
from packages.changes import NotNow
from packages.changing import ChangeStale
from packages.models import Charge
from packages.renewals import RenewalReport
from tests.factories import cny, funded_customer, member_of
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, announced, now, swept
from tests.packages.resting import APRIL, JUNE, MARCH_11, MAY_10, asked, paused, resumed
from wallet.ledger import InsufficientFunds

pytestmark = pytest.mark.django_db


class TestResume:
    def test_charges_what_was_shown_and_counts_from_today(self):
        one = paused()
        shown = pausing.resumption(one, at=MAY_10)
        after = resumed(one, at=MAY_10 + timedelta(minutes=20), quoted_at=MAY_10)
        charge = Charge.objects.get(kind="TERM")
        assert charge.amount == shown.due == cny("99.00")
        assert charges.recompute(charge.lines, "CNY") == charge.amount
        assert charge.consent.text == pausing.resume_agreement(shown)
        assert (after.state, str(after.anchor_on)) == ("ACTIVE", "2025-05-10")
        second = after.periods.get(number=2)
        assert (second.starts_at, second.ends_at) == (shanghai(2025, 5, 10), shanghai(2025, 6, 10))
        assert left(one.customer) == cny("802.00")
        announced(after)
        assert swept(JUNE) == RenewalReport()
        assert swept(after.paid_until) == RenewalReport(ok=1)

    def test_on_the_first_day_leaves_no_gap(self):
        one = paused()
        second = resumed(one, at=APRIL + timedelta(hours=3)).periods.get(number=2)
        assert (second.starts_at, second.previous_number) == (APRIL, 1)

    def test_takes_up_what_was_scheduled(self):
        one = bought(seats=5)
        scheduled = subscriptions.change(subscription_id=one.pk, seats=2, at=MARCH_11)
        asked(one)
        swept(APRIL)
        after = resumed(one)
        scheduled.refresh_from_db()
        assert (after.seats, scheduled.applied_at) == (2, MAY_10)
        assert Charge.objects.latest("pk").amount == cny("124.00")

    def test_needs_the_money_and_changes_nothing_without(self):
        one = paused(funded_customer("99.00"))
        with pytest.raises(InsufficientFunds):
            resumed(one)
        assert now(one).state == "PAUSED" and Consent.objects.count() == 2

    def test_is_not_for_what_is_not_paused(self):
        with pytest.raises(NotNow):
            resumed(bought(), at=MARCH_11)
        one = paused(version=on_sale(code="other"))
        resumed(one)
        with pytest.raises(NotNow):
            resumed(one, at=MAY_10 + DAY)

    def test_refuses_what_was_shown_too_long_ago(self):
        with pytest.raises(ChangeStale):
            resumed(paused(), quoted_at=MAY_10 - timedelta(minutes=31))

    def test_is_not_for_viewers(self):
        one = paused()
        with pytest.raises(customers.NotAllowed):
            resumed(one, by=member_of(one.customer))
