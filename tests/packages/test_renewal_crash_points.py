"""
kill -9 at every place of a sweep that matters: nothing is left half done, and the next sweep
renews each subscription exactly once.
"""

import subprocess

import pytest
from django.core import mail

from crm_billing import outbox
from packages import renewals
from packages.models import Charge, RenewalRun, Subscription, SubscriptionPeriod
from packages.renewals import RenewalReport
from tests import victims
from tests.factories import cny, fund, funded_customer
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, now, swept, told
from tests.wallet.racing import prove
from wallet.models import JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)

VICTIM = "tests.packages.crash_victim"

APRIL = shanghai(2025, 4, 1)
FIVE = 5  # in chunks of two

POINTS = [
    # crash point, how many were renewed before the end
    ("renewals_after_post", 0),
    ("renewals_before_commit", 0),
    ("renewals_after_chunk", 2),
]


def run(crash: str, act: str, at=APRIL, **what: object) -> subprocess.CompletedProcess:
    return victims.run(VICTIM, crash, {"act": act, "at": at.isoformat(), **what})


def dies(crash: str, act: str, at=APRIL, **what: object) -> None:
    victims.dies(VICTIM, crash, {"act": act, "at": at.isoformat(), **what})


def due(money: str = "200.00") -> list[Subscription]:
    """
    Return five subscriptions of 99.00 a month that are due in April, announced.
    """
    version = on_sale()
    begun = [bought(funded_customer(money), version) for _ in range(FIVE)]
    told(APRIL - 6 * DAY)
    mail.outbox.clear()
    return begun


def is_whole(renewed: int) -> None:
    """
    Assert that so many are renewed with all that belongs to it, and the rest not at all.
    """
    assert Charge.objects.filter(kind="RENEWAL").count() == renewed
    assert JournalEntry.objects.filter(reference__startswith="renewal:").count() == renewed
    assert SubscriptionPeriod.objects.filter(number=2).count() == renewed
    assert Subscription.objects.filter(period_number=2, state="ACTIVE").count() == renewed
    assert outbox.pending().filter(topic="renewal.done").count() == renewed
    assert sum(left(one.customer) == cny("2.00") for one in Subscription.objects.all()) == renewed
    prove()


class TestSweep:
    def test_lives_when_no_point_is_armed(self):
        due()
        ended = run("nowhere", "run")
        assert ended.stdout.endswith("alive\n"), ended.stderr
        is_whole(FIVE)

    @pytest.mark.parametrize(("crash", "renewed"), POINTS)
    def test_killed_then_swept_again(self, crash, renewed):
        begun = due()
        dies(crash, "run")
        is_whole(renewed)

        assert renewals.run(at=APRIL).ok == FIVE - renewed
        is_whole(FIVE)
        assert swept(APRIL) == RenewalReport()
        outbox.relay(at=APRIL)
        assert len(mail.outbox) == FIVE
        assert {left(one.customer) for one in begun} == {cny("2.00")}

    def test_killed_again_and_again_gets_there(self):
        due()
        for renewed in (2, 4):
            dies("renewals_after_chunk", "run")
            is_whole(renewed)
        swept(APRIL)
        is_whole(FIVE)

    def test_killed_leaves_a_run_that_never_ended(self):
        due()
        dies("renewals_after_chunk", "run")
        assert RenewalRun.objects.get().finished_at is None
        renewals.run(at=APRIL)
        assert list(RenewalRun.objects.order_by("pk").values_list("ok", flat=True)) == [0, 3]

    def test_killed_while_dunning_duns_once(self):
        due("99.00")
        dies("renewals_before_commit", "run")
        assert set(Subscription.objects.values_list("state", flat=True)) == {"ACTIVE"}
        assert renewals.run(at=APRIL).insufficient == FIVE
        assert outbox.pending().filter(topic="notice.send").count() == FIVE


class TestRetry:
    def test_killed_then_tried_again_charges_once(self):
        one = due("99.00")[0]
        swept(APRIL)
        fund(one.customer, "99.00", at=APRIL + DAY)
        dies("renewals_after_post", "retry", APRIL + DAY, customer_id=one.customer_id)
        assert (now(one).state, left(one.customer)) == ("PAST_DUE", cny("99.00"))
        for _ in range(2):
            renewals.retry(customer_id=one.customer_id, at=APRIL + DAY)
        assert (now(one).state, left(one.customer)) == ("ACTIVE", cny("0.00"))
        assert Charge.objects.filter(kind="RENEWAL").count() == 1
