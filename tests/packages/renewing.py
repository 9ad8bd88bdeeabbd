"""
Time passing for the subscriptions of tests: notices go out, sweeps come by.
"""

from datetime import datetime, timedelta

from crm_billing import outbox
from packages import notices, renewals
from packages.models import Subscription
from packages.renewals import RenewalReport

DAY = timedelta(days=1)


def told(at: datetime) -> None:
    """
    Prepare the notices of a moment and have them sent.
    """
    notices.prepare(at=at)
    outbox.relay(at=at)


def announced(subscription: Subscription) -> Subscription:
    """
    Let the next renewal be announced in time.
    """
    told(subscription.paid_until - 6 * DAY)
    return subscription


def swept(at: datetime) -> RenewalReport:
    return renewals.sweep(at=at)


def now(subscription: Subscription) -> Subscription:
    """
    Return a subscription as the database has it.
    """
    return Subscription.objects.get(pk=subscription.pk)


def renewed(subscription, count: int = 1):
    """
    Let so many terms go by, each announced and paid.
    """
    for _ in range(count):
        subscription = now(announced(subscription))
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        subscription = now(subscription)
    return subscription
