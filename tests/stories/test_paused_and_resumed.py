"""
A customer lets a plan rest over the summer: nothing is charged, it goes on by itself, and the next
time it is resumed early.
"""

from datetime import date

import pytest
from django.core import mail

from packages import pausing
from packages.models import Charge
from packages.renewals import RenewalReport
from tests.factories import fund, open_customer
from tests.packages.buying import bought, shanghai
from tests.packages.renewing import DAY, now, swept, told
from tests.stories.telling import entries, holding, wallet

pytestmark = [pytest.mark.django_db(transaction=True)]

SPENT = ("SPEND", {"PRINCIPAL": "+99.00", "SPENT": "-99.00"})


def subjects() -> list[str]:
    return [one.subject.partition(": ")[2] for one in mail.outbox]


def test_a_plan_rests_goes_on_by_itself_and_is_resumed_early():
    customer = open_customer(locale="en")
    fund(customer, "400.00")
    plan = bought(customer)  # 1 March, 99.00 a month
    assert wallet(customer) == holding("301.00", available="301.00")

    # In March the customer asks for a rest until June. The paid term runs on.
    pausing.pause(subscription_id=plan.pk, until=date(2025, 6, 1), at=shanghai(2025, 3, 20))
    told(shanghai(2025, 3, 26))
    assert subjects() == []
    assert swept(shanghai(2025, 3, 31)) == RenewalReport()
    assert now(plan).state == "ACTIVE"

    # On 1 April it rests. Nothing is taken and nothing is said, in April and in May.
    assert swept(shanghai(2025, 4, 1)) == RenewalReport(paused=1)
    for day in range(1, 54):
        told(shanghai(2025, 4, 1) + day * DAY)
        assert swept(shanghai(2025, 4, 1) + day * DAY) == RenewalReport()
    assert subjects() == []
    assert wallet(customer) == holding("301.00", available="301.00")

    # A week before June the customer is told, and on 1 June it goes on.
    told(shanghai(2025, 5, 26))
    assert subjects() == ["Pro goes on on June 1, 2025 for ¥99.00"]
    assert "Its pause ends on June 1, 2025." in mail.outbox[0].body
    assert swept(shanghai(2025, 6, 1)) == RenewalReport(ok=1)
    assert wallet(customer) == holding("202.00", available="202.00")
    assert entries(customer)[1:] == [SPENT, SPENT]
    after = now(plan)
    assert (after.state, str(after.anchor_on), after.paid_until) == (
        "ACTIVE",
        "2025-06-01",
        shanghai(2025, 7, 1),
    )

    # It rests again for three terms, but on 12 August it is needed: a term begins that day.
    pausing.pause(subscription_id=plan.pk, until=date(2025, 10, 1), at=shanghai(2025, 6, 3))
    assert swept(shanghai(2025, 7, 1)) == RenewalReport(paused=1)
    shown = pausing.resumption(now(plan), at=shanghai(2025, 8, 12, 9))
    pausing.resume(
        subscription_id=plan.pk,
        at=shanghai(2025, 8, 12, 9),
        quoted_at=shanghai(2025, 8, 12, 9),
    )
    assert wallet(customer) == holding("103.00", available="103.00")
    charge = Charge.objects.latest("pk")
    assert (charge.kind, charge.amount) == ("TERM", shown.due)
    after = now(plan)
    assert (str(after.anchor_on), after.paid_until) == ("2025-08-12", shanghai(2025, 9, 12))
    assert [(one.number, one.previous_number) for one in after.periods.order_by("number")] == [
        (1, None),
        (2, None),
        (3, None),
    ]

    # From then on it renews as ever, and October brings nothing more.
    told(shanghai(2025, 9, 6))
    assert swept(shanghai(2025, 9, 12)) == RenewalReport(ok=1)
    assert swept(shanghai(2025, 10, 1)) == RenewalReport()
    assert wallet(customer) == holding("4.00", available="4.00")
