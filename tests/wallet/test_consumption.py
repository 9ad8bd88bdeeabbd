from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import NOON, fund, member_of, open_customer
from wallet import consumption
from wallet.models import JournalEntry, WalletPolicy

pytestmark = pytest.mark.django_db

SAID = {
    "BONUS_FIRST_EARLIEST_EXPIRY": ("Spent before principal", "bonus is spent before principal"),
    "PRINCIPAL_FIRST_FIFO": ("Spent after principal", "bonus is spent after principal"),
    "EARLIEST_EXPIRY_FIRST": ("What expires soonest is spent first", "soonest is spent first"),
}


def use(order, *, at):
    policy = WalletPolicy.objects.get(currency="CNY")
    policy.pk, policy.valid_from, policy.consumption_order = None, at, order
    policy.save(force_insert=True)


class TestTold:
    def test_knows_every_order(self):
        assert set(consumption.WORDS) == set(WalletPolicy.Order) == set(SAID)

    def test_follows_the_rules_of_the_moment(self):
        use("PRINCIPAL_FIRST_FIFO", at=NOON)
        before = consumption.told("CNY", at=NOON - timedelta(seconds=1))
        assert before == consumption.WORDS["BONUS_FIRST_EARLIEST_EXPIRY"]
        assert consumption.told("CNY", at=NOON) == consumption.WORDS["PRINCIPAL_FIRST_FIFO"]

    def test_promises_nothing_where_there_are_no_rules(self):
        assert consumption.told("XTS", at=NOON) == consumption.UNKNOWN


@pytest.mark.parametrize("order", SAID)
def test_pages_say_when_bonus_is_spent(client, order):
    now = timezone.now()
    use(order, at=now - timedelta(minutes=1))
    customer = fund(open_customer(), "10.00", bonus="5.00", at=now)
    client.force_login(member_of(customer, locale="en"))
    note, granted = SAID[order]
    assert note in client.get("/", follow=True).content.decode()
    bonus = JournalEntry.objects.get(kind="BONUS")
    assert granted in client.get(f"/wallet/activity/{bonus.pk}/").content.decode()
