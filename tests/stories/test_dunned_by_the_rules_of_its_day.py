"""
Two renewals find their wallets empty, one before new rules begin and one after: each goes to its
end by the rules it began under, and both are told so.
"""

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override

from crm_billing import outbox
from packages import renewals, unpaid
from packages.models.dunning import LEAD
from packages.renewals import RenewalReport
from tests.factories import fund, funded_customer, owner_of
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.dunning_rules import published
from tests.packages.renewing import DAY, announced, now, swept
from tests.stories.telling import holding, wallet

pytestmark = pytest.mark.django_db

APRIL = shanghai(2025, 4, 1)


def mails_to(customer) -> list:
    return [one for one in mail.outbox if one.to == [owner_of(customer).email]]


def swept_and_told(at) -> RenewalReport:
    report = swept(at)
    outbox.relay(at=at)
    return report


def days_of(subscription, at) -> dict[str, str]:
    """
    Return on which day a customer reads that a state begins.
    """
    with override("en"):
        told = unpaid.tell(now(subscription), at=at)
    return {step.state: step.day for step in told.steps if step.state}


def test_each_goes_by_the_rules_of_the_day_it_first_failed(client):
    version = on_sale()
    old, new = (funded_customer("99.00", locale="en", at=shanghai(2025, 2, 1)) for _ in range(2))
    earlier = bought(old, version, at=shanghai(2025, 3, 1, hour=21))
    later = bought(new, version, at=shanghai(2025, 3, 3, hour=9))
    for one in (earlier, later):
        announced(one)

    # The first renewal fails; then staff publish quicker rules, which begin an hour later.
    assert swept_and_told(APRIL) == RenewalReport(insufficient=1)
    policy = published(APRIL + 6 * LEAD)
    assert policy.valid_from == APRIL + 7 * LEAD

    # Two days later the second one fails. Each reads its own days on its page and in its mail.
    failed_at = later.paid_until
    assert failed_at == APRIL + 2 * DAY
    assert swept_and_told(failed_at) == RenewalReport(insufficient=2)
    assert days_of(earlier, failed_at) == {
        "PAST_DUE": "April 1, 2025",
        "RESTRICTED": "April 8, 2025",
        "SUSPENDED": "April 15, 2025",
        "ENDED": "May 1, 2025",
    }
    assert days_of(later, failed_at) == {
        "PAST_DUE": "April 3, 2025",
        "RESTRICTED": "April 4, 2025",
        "SUSPENDED": "April 5, 2025",
        "ENDED": "April 6, 2025",
    }
    assert "works as before until April 8, 2025" in mails_to(old)[-1].body
    assert "works as before until April 4, 2025" in mails_to(new)[-1].body
    client.force_login(owner_of(new))
    url = reverse("packages:subscription", args=[later.number])
    page = client.get(url, headers={"accept-language": "en"}).content.decode()
    assert "April 5, 2025" in page and "Your data are kept until April 13, 2025" in page

    # The second one goes down a step a day and ends; the first is in its grace all the while.
    for days, state in ((1, "RESTRICTED"), (2, "SUSPENDED"), (3, "ENDED")):
        swept_and_told(failed_at + days * DAY)
        assert (now(later).state, now(earlier).state) == (state, "PAST_DUE")
    assert mails_to(new)[-1].subject.endswith("Pro has ended")
    assert "not been paid since April 3, 2025" in mails_to(new)[-1].body
    assert "kept until April 13, 2025" in mails_to(new)[-1].body

    # Money within the old grace renews the first one from where it ended, its anchor unmoved.
    fund(old, "99.00", at=failed_at + 4 * DAY)
    assert renewals.retry(customer_id=old.pk, at=failed_at + 4 * DAY) == RenewalReport(ok=1)
    saved = now(earlier)
    assert (saved.state, saved.anchor_on) == ("ACTIVE", earlier.anchor_on)
    assert saved.periods.get(number=2).starts_at == earlier.paid_until
    assert wallet(old) == holding("0.00", available="0.00")

    # Its next failure is dunned by the rules of that day: the quick ones.
    announced(saved)
    swept_and_told(saved.paid_until)
    assert days_of(saved, saved.paid_until)["ENDED"] == "May 4, 2025"
