"""
Telling people about work that has been given up, or that waits for them too long.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from crm_billing import outbox
from wallet import adjustments

LOOK_BACK = timedelta(days=7)


def report_parked(*, at: datetime) -> int:
    """
    Have one mail sent for each errand parked in the last week; return how many are new.

    Should the alarm itself be parked, because mail is what is broken, it raises no further alarm:
    staff see it on the admin's first page.
    """
    given_up = outbox.parked().filter(parked_at__gt=at - LOOK_BACK).exclude(topic="outbox.parked")
    with transaction.atomic():
        return sum(
            outbox.put(
                topic="outbox.parked",
                key=f"{errand.pk}:{errand.parked_at.isoformat()}",
                payload={
                    "topic": errand.topic,
                    "key": errand.key,
                    "reason": errand.last_error[:500],
                },
                at=at,
            )
            for errand in given_up
        )


def escalate_approvals(*, at: datetime) -> int:
    """
    Have one mail sent for each proposal nobody has decided, every APPROVAL_HOURS; return how many.
    """
    every = timedelta(hours=settings.APPROVAL_HOURS)
    return outbox.put_many(
        topic="adjustment.overdue",
        errands={
            f"{one.number}:{(at - one.proposed_at) // every}": {"adjustment_id": one.pk}
            for one in adjustments.overdue(at=at).only("number", "proposed_at")
        },
        at=at,
    )
