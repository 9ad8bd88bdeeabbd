"""
Many sweeps, customers and spends at once: every term is paid once or not at all.

The control runs take the locks away: then sweeps get errors and give subscriptions up, which shows
that the race is real; yet each is charged once and the books prove, as the constraints hold alone.
"""

import time
from collections import Counter
from dataclasses import astuple

import pytest

from packages import due, outcomes, renewals, subscriptions
from packages.models import Charge, Subscription
from packages.renewals import RenewalReport
from tests.factories import cny, fund, funded_customer
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, now, swept, told
from tests.wallet.racing import prove, race
from wallet import queries, spending

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 40
DUE = 30
APRIL = shanghai(2025, 4, 1)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(renewals, "CHUNK", 7)


@pytest.fixture
def no_locks(monkeypatch):
    """
    Sweeps read what is due without locking it, and let everybody look before anybody writes.
    """

    def read_only(ids, at, *, is_swept, wait=False):
        rows = [row for row in due.read(ids) if row.paid_until <= at]
        time.sleep(0.05)
        return rows

    monkeypatch.setattr(due, "claimed", read_only)


def all_due(count: int = DUE, money: str = "200.00") -> list[Subscription]:
    """
    Let so many customers have a subscription of 99.00 a month that is due in April, announced.
    """
    version = on_sale()
    begun = [bought(funded_customer(money), version) for _ in range(count)]
    told(APRIL - 6 * DAY)
    return begun


def sweeps(count: int = MANY, at=APRIL):
    return [lambda: swept(at)] * count


def added_up(reports) -> RenewalReport:
    total = RenewalReport()
    for one in reports:
        if isinstance(one, RenewalReport):
            total.add(one)
    return total


def renewals_of(begun) -> list[int]:
    """
    Return how often each was renewed for money.
    """
    charged = Counter(
        Charge.objects.filter(kind="RENEWAL").values_list("subscription_id", flat=True)
    )
    return [charged[one.pk] for one in begun]


class TestManySweeps:
    def test_renew_each_once(self):
        begun = all_due()

        result = race(sweeps())

        assert not result.broken and not result.lost
        assert added_up(result.won) == RenewalReport(ok=DUE)
        assert renewals_of(begun) == [1] * DUE
        assert {left(one.customer) for one in begun} == {cny("2.00")}
        assert swept(APRIL) == RenewalReport()

    def test_without_locks_give_up_but_charge_nobody_twice(self, no_locks):
        begun = all_due(7)

        result = race(sweeps(10))

        assert added_up(result.won).failed or result.lost
        assert set(renewals_of(begun)) <= {0, 1}
        for one in begun:
            paid = 1 + Charge.objects.filter(subscription=one, kind="RENEWAL").count()
            assert left(one.customer) == cny(200 - 99 * paid)
        prove()

    def test_take_one_step_of_dunning(self):
        begun = all_due(money="99.00")

        result = race(sweeps())

        assert not result.broken and not result.lost
        assert added_up(result.won) == RenewalReport(insufficient=DUE)
        assert {now(one).state for one in begun} == {"PAST_DUE"}

    def test_put_off_once_what_was_not_announced(self):
        version = on_sale()
        for _ in range(DUE):
            bought(version=version)

        result = race(sweeps())

        assert not result.broken and not result.lost
        assert added_up(result.won) == RenewalReport(waiting=DUE)

    def test_count_one_failure_where_whole_chunks_are_refused(self, monkeypatch):
        begun = all_due()
        poisoned = begun[0]
        honest = outcomes.wording.term

        def fails(name, *, starts_at, ends_at, zone):
            if zone == "Europe/Berlin":
                raise ValueError("poison")
            return honest(name, starts_at=starts_at, ends_at=ends_at, zone=zone)

        monkeypatch.setattr(outcomes.wording, "term", fails)
        read = due.read
        monkeypatch.setattr(
            due,
            "read",
            lambda ids: [
                row._replace(zone="Europe/Berlin") if row.id == poisoned.pk else row
                for row in read(ids)
            ],
        )

        result = race(sweeps())

        assert not result.broken and not result.lost
        assert added_up(result.won).ok == DUE - 1
        assert now(poisoned).failures == 1
        assert renewals_of(begun) == [0] + [1] * (DUE - 1)

    def test_pay_one_of_two_where_the_wallet_has_one(self, monkeypatch):
        monkeypatch.setattr(renewals, "CHUNK", 1)
        customer = funded_customer("300.00")
        for code in ("one", "two"):
            bought(customer, on_sale(code=code))
        told(APRIL - 6 * DAY)

        result = race(sweeps())

        assert not result.broken and not result.lost
        assert added_up(result.won) == RenewalReport(ok=1, insufficient=1)
        assert left(customer) == cny("3.00")
        assert sorted(Subscription.objects.values_list("state", flat=True)) == [
            "ACTIVE",
            "PAST_DUE",
        ]


class TestOneAskedManyTimes:
    def test_is_renewed_once(self):
        [one] = all_due(1)

        result = race([lambda: renewals.renew(subscription_id=one.pk, at=APRIL)] * MANY)

        assert not result.broken and not result.lost
        assert sorted(map(astuple, result.won))[-2:] == [(0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)]
        assert left(one.customer) == cny("2.00")

    def test_without_locks_is_charged_once_all_the_same(self, no_locks):
        [one] = all_due(1)

        result = race([lambda: renewals.renew(subscription_id=one.pk, at=APRIL)] * MANY)

        assert result.broken and result.lost
        assert renewals_of([one]) == [1]
        assert left(one.customer) == cny("2.00")
        prove()


class TestCancelling:
    def test_ends_it_or_comes_too_late(self):
        begun = all_due(20, "400.00")
        told(APRIL + 22 * DAY)

        def cancel(one):
            return lambda: subscriptions.cancel(subscription_id=one.pk, at=APRIL)

        result = race([call for one in begun for call in (cancel(one), lambda: swept(APRIL))])

        assert not result.broken and not result.lost and not result.refused - {"subscription_ended"}
        for one in begun:
            after = now(one)
            renewed = after.period_number == 2
            assert not after.auto_renew and after.cancelled_at == APRIL
            assert after.state == ("ACTIVE" if renewed else "ENDED")
            assert left(one.customer) == cny("202.00" if renewed else "301.00")
        # whatever was renewed is not renewed again, though it may have been announced
        after = swept(shanghai(2025, 5, 1))
        assert after == RenewalReport(ended=renewals_of(begun).count(1))


class TestSpending:
    def test_leaves_no_wallet_below_zero_and_no_renewal_half_done(self):
        begun = all_due(10)  # 101.00 left: enough for the renewal or for one spend, not for both

        def spend(one, place):
            return lambda: spending.spend(
                customer=one.customer,
                amount=cny("40.00"),
                reference=f"race {place}",
                description="x",
                at=APRIL,
            )

        spends = [spend(one, place) for place in range(3) for one in begun]
        result = race([*spends, *sweeps(10)])

        assert not result.broken and result.refused <= {"insufficient_funds"}
        swept(APRIL)  # what spends were holding when the sweeps came by
        for one, renewed in zip(begun, renewals_of(begun), strict=True):
            after = now(one)
            spent = one.customer.journal_entries.filter(description="x").count()
            assert left(one.customer) == cny(101 - 99 * renewed - 40 * spent)
            assert left(one.customer) >= cny(0)
            assert (after.period_number, after.state) == (
                (2, "ACTIVE") if renewed else (1, "PAST_DUE")
            )
        assert swept(APRIL) == RenewalReport()


class TestRetrying:
    LATER = APRIL + 7 * DAY

    def past_due(self):
        [one] = all_due(1, "99.00")
        assert swept(APRIL) == RenewalReport(insufficient=1)
        return now(one)

    def retries(self, one, count):
        return [lambda: renewals.retry(customer_id=one.customer_id, at=self.LATER)] * count

    def test_after_a_topup_and_sweeping_renew_once(self):
        one = self.past_due()
        fund(one.customer, "150.00", at=self.LATER)

        result = race(self.retries(one, 20) + sweeps(20, self.LATER))

        assert not result.broken and not result.lost
        assert added_up(result.won) == RenewalReport(ok=1)
        assert left(one.customer) == cny("51.00")
        assert now(one).state == "ACTIVE"

    def test_finds_what_a_sweep_is_just_finding_unpaid(self):
        """
        Money comes after a sweep has looked at the wallet and before it has written so.
        """
        [one] = all_due(1, "99.00")
        looked = renewals.queries.available_minor

        def slowly(ids, currency):
            found = looked(ids, currency)
            time.sleep(0.3)
            return found

        def money_comes():
            time.sleep(0.1)
            fund(one.customer, "99.00", at=APRIL)
            return renewals.retry(customer_id=one.customer_id, at=APRIL)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(queries, "available_minor", slowly)
            result = race([lambda: swept(APRIL), money_comes])

        assert result.answers == [RenewalReport(insufficient=1), RenewalReport(ok=1)]
        assert now(one).state == "ACTIVE"
        assert left(one.customer) == cny("0.00")
