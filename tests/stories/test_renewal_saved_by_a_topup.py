"""
A renewal finds the wallet empty. Days later the customer tops up, and it is renewed at once.
"""

from datetime import timedelta

import pytest
from celery import current_app

from crm_billing import outbox
from packages import notices
from packages.models import Charge, Subscription
from packages.renewals import RenewalReport
from tests.factories import fund, open_customer
from tests.packages.buying import bought
from tests.packages.renewing import DAY, now, swept
from tests.stories.telling import books_prove, entries, eventually, holding, lots, wallet
from tests.wallet import topup_setting
from tests.wallet.topup_setting import submitted

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("portal")]

FIRST = ("SPEND", {"PRINCIPAL": "+99.00", "SPENT": "-99.00"})


@pytest.fixture(autouse=True)
def worker_beside():
    """
    What is handed to the worker is done at once.
    """
    current_app.conf.update(task_always_eager=True)
    yield
    current_app.conf.update(task_always_eager=False)


def subjects(mailbox) -> list[str]:
    return [mail.subject.partition(": ")[2] for mail in mailbox.messages]


def test_an_unpaid_renewal_is_paid_by_the_topup_that_comes(fake_gateway, mailbox):
    today = topup_setting.now()
    begun_at = today - timedelta(days=40)
    customer = open_customer(locale="en", at=begun_at)
    fund(customer, "150.00", at=begun_at)
    begun = bought(customer, at=begun_at)
    due = begun.paid_until
    assert wallet(customer) == holding("51.00", available="51.00")
    assert entries(customer)[1:] == [FIRST]

    # Six days before, the customer is told what is coming, and what is missing for it.
    notices.prepare(at=due - 6 * DAY)
    outbox.relay(at=due - 6 * DAY)
    assert len(mailbox.messages) == 1
    assert "¥99.00" in mailbox.messages[0].text and "¥48.00" in mailbox.messages[0].text
    assert wallet(customer) == holding("51.00", available="51.00")

    # The day comes, and the money has not. Nothing is taken, the service goes on.
    assert swept(due) == RenewalReport(insufficient=1)
    assert (now(begun).state, now(begun).past_due_at) == ("PAST_DUE", due)
    outbox.relay(at=due)
    assert subjects(mailbox)[1:] == ["Pro could not be renewed"]
    assert wallet(customer) == holding("51.00", available="51.00")

    # A week later it may only be read; the mail says so, once.
    assert swept(due + 7 * DAY) == RenewalReport(insufficient=1)
    assert swept(due + 7 * DAY) == RenewalReport()
    outbox.relay(at=due + 7 * DAY)
    assert now(begun).state == "RESTRICTED"
    assert len(mailbox.messages) == 3
    assert len(entries(customer)) == 2

    # The customer pays 100.00 at the gateway. The callback credits it, and that renews.
    topup = submitted(customer, "100.00")
    assert wallet(customer) == holding("51.00", available="51.00")
    fake_gateway.pay(topup.number, notify=1)
    assert eventually(lambda: Subscription.objects.get().state == "ACTIVE")
    assert wallet(customer) == holding("52.00", available="52.00")
    assert entries(customer)[2:] == [
        ("TOP_UP", {"CLEARING": "+100.00", "PRINCIPAL": "-100.00"}),
        FIRST,
    ]
    assert lots(customer) == [("PRINCIPAL", "0.00"), ("PRINCIPAL", "52.00")]

    # The term begins where the last one ended: no day is given away and none is lost.
    after = now(begun)
    second = after.periods.get(number=2)
    assert (second.starts_at, second.ends_at) == (due, after.paid_until)
    assert (after.anchor_on, after.past_due_at, after.failures) == (begun.anchor_on, None, 0)
    charge = Charge.objects.get(kind="RENEWAL")
    assert charge.notice.sent_at + 5 * DAY <= due and charge.consent == begun.consent

    # It is told once, and the sweep has nothing left to do.
    for _ in range(2):
        outbox.relay(at=topup_setting.now() + timedelta(minutes=1))
    assert sum("is renewed until" in one for one in subjects(mailbox)) == 1
    assert swept(topup_setting.now()) == RenewalReport()
    assert wallet(customer) == holding("52.00", available="52.00")
    assert books_prove()
