"""
Subscriptions of tests that rest, and go on.
"""

from datetime import date

from packages import pausing
from packages.models import Pause, Subscription
from tests.factories import funded_customer
from tests.packages.buying import bought, shanghai
from tests.packages.renewing import now, swept

MARCH_11 = shanghai(2025, 3, 11)

APRIL = shanghai(2025, 4, 1)  # the paid term ends

JUNE = shanghai(2025, 6, 1)

UNTIL = date(2025, 6, 1)

MAY_10 = shanghai(2025, 5, 10, 15)


def asked(subscription, until=UNTIL, *, at=MARCH_11, **options) -> Pause:
    return pausing.pause(subscription_id=subscription.pk, until=until, at=at, **options)


def paused(customer=None, version=None, **options) -> Subscription:
    """
    Return a subscription of 99.00 a month, begun in March, that rests from April until June.
    """
    one = bought(customer or funded_customer("1000.00"), version, **options)
    asked(one)
    assert swept(APRIL).paused == 1
    return now(one)


def resumed(subscription, *, at=MAY_10, **options) -> Subscription:
    return pausing.resume(subscription_id=subscription.pk, at=at, **options)
