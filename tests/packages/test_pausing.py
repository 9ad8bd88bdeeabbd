from datetime import date, timedelta

import pytest

from accounts import customers
from packages import changes, entitlements, notices, pausing, renewals, subscriptions
from packages.acting import SubscriptionEnded
from packages.changes import NotNow
from packages.models import Charge, Notice, Pause, Subscription
from packages.pausing import BadPause
from packages.renewals import RenewalReport
from tests.factories import cny, fund, funded_customer, member_of, owner_of
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, announced, now, swept, told
from tests.packages.resting import APRIL, JUNE, MARCH_11, MAY_10, asked, paused, resumed
from tests.packages.shelf import basic, by_year, feature, seats, terms
from tests.packages.test_subscription_guards import refused
from tests.wallet.racing import prove, race

pytestmark = pytest.mark.django_db


class TestChoices:
    def test_are_whole_terms_within_twelve_months(self):
        month = bought(on_sale() and funded_customer("1000.00"), on_sale(code="month"))
        assert pausing.choices(month) == [date(2025, 5, 1), date(2025, 6, 1), date(2025, 7, 1)]
        yearly = on_sale(by_year(terms(basic()), "500.00"), code="year")
        year = bought(funded_customer("1000.00"), yearly)
        assert pausing.choices(year) == [date(2027, 3, 1)] == [pausing.last_day(year)]


class TestPause:
    def test_waits_for_the_end_of_the_term_and_takes_nothing(self):
        one = bought()
        owner = owner_of(one.customer)
        pause = asked(one, by=owner)
        assert (now(one).state, pause.until, pause.asked_by) == ("ACTIVE", JUNE, owner)
        assert pause.consent.text == pausing.agreement(one, JUNE)
        told(APRIL - 6 * DAY)
        assert not Notice.objects.exists()
        assert swept(APRIL) == RenewalReport(paused=1)
        assert swept(APRIL) == RenewalReport()
        after = now(one)
        assert (after.state, after.next_try_at, after.paid_until) == ("PAUSED", JUNE, APRIL)
        assert Charge.objects.count() == 1 and left(one.customer) == cny("901.00")

    def test_goes_on_by_itself_announced_and_charged_like_a_renewal(self):
        one = paused()
        told(JUNE - 8 * DAY)
        assert not Notice.objects.exists()
        told(JUNE - 6 * DAY)
        notice = Notice.objects.get(kind="RENEWAL")
        assert (notice.due_at, notice.period_number) == (JUNE, 2)
        assert now(one).next_try_at == JUNE
        assert swept(JUNE - DAY) == RenewalReport()
        assert swept(JUNE) == RenewalReport(ok=1)
        after = now(one)
        second = after.periods.get(number=2)
        assert (second.starts_at, second.ends_at, second.previous_number) == (
            JUNE,
            shanghai(2025, 7, 1),
            None,
        )
        assert (after.state, str(after.anchor_on), after.anchor_number) == (
            "ACTIVE",
            "2025-06-01",
            2,
        )
        assert Pause.objects.get().ended_at == JUNE
        announced(after)
        assert swept(after.paid_until) == RenewalReport(ok=1)
        assert now(one).paid_until == shanghai(2025, 8, 1)

    def test_needs_its_own_notice_not_one_from_before(self):
        one = announced(bought())  # told on 26 March of 1 April
        asked(one, at=APRIL - 2 * DAY)
        assert swept(APRIL) == RenewalReport(paused=1)
        assert swept(JUNE) == RenewalReport(waiting=1)
        told(JUNE)
        assert Notice.objects.filter(kind="RENEWAL").count() == 2
        assert swept(JUNE + 6 * DAY) == RenewalReport(ok=1)
        assert now(one).periods.get(number=2).starts_at == JUNE

    def test_drops_the_notice_that_was_not_mailed_yet(self):
        one = bought()
        notices.prepare(at=APRIL - 6 * DAY)
        asked(one, at=APRIL - 6 * DAY)
        notice = Notice.objects.get()
        notices.send(notice_id=notice.pk, at=APRIL - 6 * DAY)
        notice.refresh_from_db()
        assert notice.dropped_at is not None and notice.sent_at is None

    def test_goes_the_way_of_what_is_unpaid_when_it_cannot_be_paid(self):
        customer = funded_customer("99.00")
        one = paused(customer)
        told(JUNE - 6 * DAY)
        assert swept(JUNE) == RenewalReport(insufficient=1)
        assert (now(one).state, now(one).past_due_at) == ("PAST_DUE", JUNE)
        fund(customer, "99.00", at=JUNE + 3 * DAY)
        assert renewals.retry(customer_id=customer.pk, at=JUNE + 3 * DAY) == RenewalReport(ok=1)
        assert now(one).periods.get(number=2).starts_at == JUNE

    def test_carries_what_was_scheduled_over(self):
        one = bought(seats=5)
        subscriptions.change(subscription_id=one.pk, seats=2, at=MARCH_11)
        asked(one)
        swept(APRIL)
        assert now(one).seats == 5
        told(JUNE - 6 * DAY)
        assert swept(JUNE) == RenewalReport(ok=1)
        assert (now(one).seats, Charge.objects.latest("pk").amount) == (2, cny("124.00"))

    def test_takes_the_place_of_one_that_has_not_begun(self):
        one = bought()
        first = asked(one)
        assert asked(one) == first
        second = asked(one, date(2025, 5, 1))
        first.refresh_from_db()
        assert first.revoked_at == MARCH_11
        assert list(Pause.objects.open()) == [second]

    @pytest.mark.parametrize("until", [date(2025, 4, 1), date(2025, 3, 20), date(2026, 4, 2)])
    def test_refuses_days_that_are_too_near_or_too_far(self, until):
        with pytest.raises(BadPause):
            asked(bought(), until)

    def test_may_last_twelve_months(self):
        asked(bought(), date(2026, 4, 1))

    def test_is_for_what_is_paid_and_renews(self):
        trial = bought(version=on_sale(terms(basic(), trial_days=30)))
        ends = bought(version=on_sale(code="ends"), auto_renew=False)
        for one in (trial, ends):
            with pytest.raises(NotNow):
                asked(one)
        poor = announced(bought(funded_customer("99.00"), on_sale(code="poor")))
        swept(poor.paid_until)
        with pytest.raises(NotNow):
            asked(poor, at=APRIL + DAY)
        with pytest.raises(NotNow):
            asked(paused(version=on_sale(code="resting")), at=APRIL + DAY)

    def test_is_not_for_viewers_nor_for_what_has_ended(self):
        one = bought()
        with pytest.raises(customers.NotAllowed):
            asked(one, by=member_of(one.customer))
        subscriptions.cancel(subscription_id=one.pk, at=APRIL)
        with pytest.raises(SubscriptionEnded):
            asked(one, at=APRIL)


class TestRevoke:
    def test_lets_all_stay_as_it_was(self):
        one = announced(bought())
        asked(one, at=APRIL - 2 * DAY)
        for _ in range(2):
            pausing.revoke(subscription_id=one.pk, at=APRIL - DAY)
        assert swept(APRIL) == RenewalReport(ok=1)

    def test_comes_too_late_once_it_has_begun(self):
        with pytest.raises(NotNow):
            pausing.revoke(subscription_id=paused().pk, at=APRIL + DAY)

    def test_is_not_for_viewers(self):
        one = bought()
        with pytest.raises(customers.NotAllowed):
            pausing.revoke(subscription_id=one.pk, at=MARCH_11, by=member_of(one.customer))


class TestBesides:
    def test_nothing_may_be_used_until_it_goes_on(self):
        one = bought(version=on_sale(terms(basic(), feature())))
        asked(one)
        assert entitlements.check(one.customer, "exports", at=MARCH_11).allowed
        swept(APRIL)
        resting = entitlements.check(one.customer, "exports", at=MAY_10)
        assert (resting.allowed, resting.reason) == (False, "paused")
        resumed(one)
        assert entitlements.check(one.customer, "exports", at=MAY_10).allowed

    def test_cancelling_ends_it_at_once(self):
        one = paused()
        after = subscriptions.cancel(subscription_id=one.pk, at=MAY_10)
        assert (after.state, after.ended_at) == ("ENDED", MAY_10)
        assert Pause.objects.get().ended_at == MAY_10
        assert swept(JUNE) == RenewalReport()

    def test_cancelling_before_it_begins_takes_it_back(self):
        one = bought()
        asked(one)
        subscriptions.cancel(subscription_id=one.pk, at=MARCH_11)
        assert Pause.objects.get().revoked_at == MARCH_11
        assert swept(APRIL) == RenewalReport(ended=1)

    def test_a_change_waits_for_its_end(self):
        one = paused()
        with pytest.raises(NotNow):
            subscriptions.change(subscription_id=one.pk, seats=3, at=MAY_10)

    def test_another_term_is_not_begun_before_it(self):
        month = terms(basic("99.00"), seats(1))
        version = on_sale(month, by_year(month, "990.00"))
        one = bought(funded_customer("2000.00"), version)
        asked(one)
        year = version.package.prices.get(interval="year")
        with pytest.raises(NotNow):
            subscriptions.change(subscription_id=one.pk, price_version=year, at=MARCH_11)
        subscriptions.change(subscription_id=one.pk, seats=3, at=MARCH_11)  # within the term

    def test_a_sweep_that_comes_late_pauses_then_goes_on(self):
        one = bought()
        asked(one)
        told(JUNE - 6 * DAY)
        assert swept(JUNE + DAY) == RenewalReport(paused=1, waiting=1)  # announced it was not
        assert swept(JUNE + DAY) == RenewalReport()
        assert now(one).state == "PAUSED"

    def test_a_rehearsal_counts_it(self):
        asked(bought())
        assert renewals.sweep(at=APRIL, rehearse=True) == RenewalReport(paused=1)
        assert renewals.run(at=APRIL).paused == 1

    def test_is_said_by_plan(self):
        one = paused()
        with pytest.raises(NotNow):
            changes.plan(
                Subscription.objects.whole().get(pk=one.pk),
                version=one.price_version,
                seats=2,
                at=MAY_10,
            )


REFUSED = {
    "DELETE FROM packages_pause": "packages_pause_stays",
    "UPDATE packages_pause SET until = until + interval '1 day'": "packages_pause_fixed",
    "UPDATE packages_pause SET begun_at = NULL": "packages_pause_decided_once",
    "UPDATE packages_pause SET revoked_at = now()": "packages_pause_begun_or_revoked",
    "UPDATE packages_pause SET ended_at = asked_at": "packages_pause_ends_after_it_began",
    "UPDATE packages_subscription SET auto_renew = false WHERE state = 'PAUSED'": (
        "packages_subscription_paused_goes_on_by_itself"
    ),
    "UPDATE packages_subscription SET state = 'RESTRICTED', past_due_at = paid_until"
    " WHERE state = 'PAUSED'": "packages_subscription_state_follows",
    "UPDATE packages_subscription SET state = 'PAUSED' WHERE state = 'ACTIVE'": (
        "packages_subscription_pauses_as_asked"
    ),
    "INSERT INTO packages_pause (subscription_id, until, consent_id, asked_at)"
    " SELECT subscription_id, until, consent_id, asked_at FROM packages_pause": (
        "packages_pause_is_its_subscriptions"
    ),
    "INSERT INTO packages_pause (subscription_id, until, consent_id, asked_at)"
    " SELECT s.id, s.paid_until + interval '13 months', s.consent_id, s.created_at"
    " FROM packages_subscription AS s WHERE s.state = 'ACTIVE'": (
        "packages_pause_is_its_subscriptions"
    ),
    "INSERT INTO packages_pause (subscription_id, until, consent_id, asked_at)"
    " SELECT s.id, s.paid_until + interval '1 month', p.consent_id, s.created_at"
    " FROM packages_subscription AS s, packages_pause AS p WHERE s.state = 'ACTIVE'": (
        "packages_pause_is_its_subscriptions"
    ),
    "INSERT INTO packages_pause (subscription_id, until, consent_id, asked_at)"
    " SELECT s.id, s.paid_until + n * interval '1 month', s.consent_id, s.created_at"
    " FROM packages_subscription AS s, generate_series(1, 2) AS n WHERE s.state = 'ACTIVE'": (
        "packages_pause_one_at_a_time"
    ),
}


def test_the_database_refuses():
    one = paused()
    bought(funded_customer("1000.00"), one.price_version)
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_pausing_and_sweeping_pause_it_or_renew_it(self):
        begun = [announced(bought(version=on_sale(code=f"p{count}"))) for count in range(8)]
        moment = APRIL - timedelta(seconds=1)

        def ask(one):
            return lambda: asked(one, at=moment)

        result = race([call for one in begun for call in (ask(one), lambda: swept(APRIL))])

        assert (
            not result.broken
            and not result.lost
            and not result.refused - {"change_not_now", "bad_pause"}
        )
        swept(APRIL)
        for one in begun:
            after = now(one)
            renewed = after.period_number == 2
            assert after.state == ("ACTIVE" if renewed else "PAUSED")
            assert left(one.customer) == cny("802.00" if renewed else "901.00")
        prove()

    def test_resuming_is_not_for_frozen_customers(self):
        one = paused()
        customers.freeze(customer_id=one.customer_id, reason="x", at=MAY_10, by=None)
        with pytest.raises(customers.CustomerFrozen):
            resumed(one)

    def test_resuming_many_times_charges_once(self):
        one = paused()

        result = race([lambda: resumed(one)] * 12)

        assert not result.broken and not result.lost and result.refused == {"change_not_now"}
        assert len(result.won) == 1
        assert left(one.customer) == cny("802.00")
        prove()

    def test_resuming_on_the_day_it_goes_on_anyway_charges_once(self):
        one = paused()
        told(JUNE - 6 * DAY)

        calls = [lambda: resumed(one, at=JUNE), lambda: swept(JUNE)] * 6
        result = race(calls)

        assert not result.broken and not result.lost and result.refused <= {"change_not_now"}
        assert left(one.customer) == cny("802.00")
        assert now(one).period_number == 2
        prove()
