"""
The notice is out, the money is there, and then the customer cancels.
"""

import pytest

from crm_billing import outbox
from packages import notices, subscriptions
from packages.models import Charge, Notice
from packages.renewals import RenewalReport
from tests.factories import funded_customer, owner_of
from tests.packages.buying import MARCH_FIRST, bought, shanghai
from tests.packages.renewing import DAY, announced, now, swept
from tests.stories.telling import entries, holding, wallet

pytestmark = pytest.mark.django_db

APRIL, MAY = shanghai(2025, 4, 1), shanghai(2025, 5, 1)
KEPT = holding("901.00", available="901.00")


def test_who_cancels_after_the_notice_is_not_charged(mailbox):
    customer = funded_customer("1000.00")
    begun = bought(customer, at=MARCH_FIRST)
    assert (begun.paid_until, wallet(customer)) == (APRIL, KEPT)

    # The renewal is announced; a day before it the customer stops it.
    announced(begun)
    assert Notice.objects.get().sent_at is not None and len(mailbox.messages) == 1
    last_day = APRIL - DAY
    subscriptions.cancel(subscription_id=begun.pk, at=last_day, by=owner_of(customer))
    assert (now(begun).state, now(begun).paid_until) == ("ACTIVE", APRIL)
    assert swept(last_day) == RenewalReport()
    assert wallet(customer) == KEPT

    # What was paid is used to its end, and then it is over: nothing is taken, now or ever.
    assert swept(APRIL) == RenewalReport(ended=1)
    assert (now(begun).state, now(begun).ended_at) == ("ENDED", APRIL)
    for later in (APRIL, APRIL + 7 * DAY, MAY):
        notices.prepare(at=later)
        outbox.relay(at=later)
        assert swept(later) == RenewalReport()
    assert wallet(customer) == KEPT
    assert len(entries(customer)) == 2
    assert not Charge.objects.filter(kind="RENEWAL").exists()
    assert len(mailbox.messages) == 1


def test_who_takes_it_back_in_time_is_charged_by_the_same_notice(mailbox):
    customer = funded_customer("1000.00")
    begun = announced(bought(customer, at=MARCH_FIRST))
    owner = owner_of(customer)
    subscriptions.cancel(subscription_id=begun.pk, at=APRIL - 2 * DAY, by=owner)
    subscriptions.renew_automatically(subscription_id=begun.pk, at=APRIL - DAY, by=owner)
    assert wallet(customer) == KEPT

    assert swept(APRIL) == RenewalReport(ok=1)
    assert wallet(customer) == holding("802.00", available="802.00")
    charge = Charge.objects.get(kind="RENEWAL")
    assert charge.notice == Notice.objects.get()
    assert charge.consent == now(begun).consent != begun.consent

    # Cancelled in the new term, it has what it paid for, and ends in May.
    subscriptions.cancel(subscription_id=begun.pk, at=APRIL + DAY, by=owner)
    assert swept(MAY - DAY) == RenewalReport()
    assert swept(MAY) == RenewalReport(ended=1)
    assert wallet(customer) == holding("802.00", available="802.00")


def test_who_cancels_while_it_is_unpaid_owes_nothing(mailbox):
    customer = funded_customer("150.00")
    begun = announced(bought(customer, at=MARCH_FIRST))
    assert swept(APRIL) == RenewalReport(insufficient=1)
    assert wallet(customer) == holding("51.00", available="51.00")

    subscriptions.cancel(subscription_id=begun.pk, at=APRIL + DAY, by=owner_of(customer))
    assert now(begun).state == "ENDED"
    assert swept(APRIL + 14 * DAY) == RenewalReport()
    assert wallet(customer) == holding("51.00", available="51.00")
    assert len(entries(customer)) == 2
