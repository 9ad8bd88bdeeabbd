"""
New rules of dunning are published while sweeps are at work: nobody's way changes.
"""

import pytest

from accounts.roles import ADMIN
from packages import policies, renewals
from packages.dunning import standing
from packages.models import DunningPolicy
from packages.models.dunning import LEAD
from packages.ways import Ways
from tests.factories import funded_customer, staff
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.dunning_rules import FIRST, QUICK, published
from tests.packages.renewing import DAY, now, swept, told
from tests.wallet.racing import race

pytestmark = pytest.mark.django_db(transaction=True)

APRIL = shanghai(2025, 4, 1)
SWEEPS = 12


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(renewals, "CHUNK", 3)


def unpaid(version, count: int = 20, **options):
    return [bought(funded_customer("99.00"), version, **options) for _ in range(count)]


def test_rules_published_during_a_sweep_hold_for_what_fails_after_they_begin():
    version = on_sale()
    before = unpaid(version)
    after = unpaid(version, at=shanghai(2025, 3, 2, hour=3))  # due a day later
    told(APRIL - 6 * DAY)

    result = race([lambda: published(APRIL), *[lambda: swept(APRIL)] * SWEEPS])
    assert not result.broken and not result.lost
    result = race([lambda: swept(APRIL + DAY)] * SWEEPS)
    assert not result.broken and not result.lost

    assert APRIL < DunningPolicy.objects.latest("pk").valid_from < APRIL + DAY
    for begun, rules, since in ((before, FIRST, APRIL), (after, QUICK, APRIL + DAY)):
        for one in map(now, begun):
            assert one.past_due_at == since
            way = Ways().of(since)
            assert way.rules == rules
            assert one.next_try_at == standing(way, at=APRIL + DAY).next_at


def test_of_many_who_publish_for_one_moment_one_does():
    by = staff(ADMIN)

    def publish():
        return policies.publish(valid_from=APRIL + LEAD, rules=QUICK, at=APRIL, by=by)

    result = race([publish] * SWEEPS)
    assert not result.broken and result.refused == {"bad_policy"} and len(result.won) == 1
    assert DunningPolicy.objects.count() == 2
