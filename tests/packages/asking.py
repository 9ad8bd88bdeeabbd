"""
All that can be asked about what a customer may use, as it is kept and as it is worked out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Customer
from packages.entitlements import Decision, check, every
from packages.models import Subscription
from tests.packages.buying import shanghai

AT = shanghai(2025, 3, 20, 10) + timedelta(minutes=1)  # no moment at which anything begins or ends
CODES = ("api_calls", "exports", "seats", "nothing")


def answers(customer: Customer, at: datetime = AT) -> list[Decision]:
    return [check(customer, code, at=at) for code in CODES] + every(customer, at=at)


def worked_out(customer: Customer, at: datetime = AT) -> list[Decision]:
    """
    Return the answers afresh: in a transaction none that is kept is looked at.
    """
    with transaction.atomic():
        return answers(customer, at)


def are_kept(customer: Customer, at: datetime = AT) -> bool:
    """
    Tell whether no answer is worked out: each asks one question about the state.
    """
    with CaptureQueriesContext(connection) as asked:
        answers(customer, at)
    return len(asked) == len(CODES) + 1


@contextmanager
def seen(one: Subscription, at: datetime = AT, *, differs: bool = True) -> Iterator[None]:
    """
    What happens inside is in the answers afterwards, though those of before were kept.

    differs: one of the answers at least is another one then.
    """
    before = answers(one.customer, at)
    assert are_kept(one.customer, at)
    yield
    after = answers(one.customer, at)
    assert after == worked_out(one.customer, at)
    assert not differs or after != before
