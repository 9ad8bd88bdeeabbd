"""
Others write while answers are asked for and worked out: nobody is told what is over.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from packages import entitlement_cache
from packages.entitlements import check
from tests.factories import fund
from tests.packages.asking import AT, answers, are_kept
from tests.packages.using import MARCH_10, metered, used
from tests.wallet.racing import race
from wallet.queries import available_minor

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def beside(act: Callable[[], object]) -> Iterator[None]:
    """
    Do something on another connection, in a transaction that commits when the block ends.
    """
    block = transaction.atomic()

    def begin():
        block.__enter__()
        act()

    def commit():
        block.__exit__(None, None, None)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(begin).result()
        yield
        pool.submit(commit).result()


def test_who_began_earlier_and_committed_later_is_seen():
    one = metered()
    with beside(lambda: used(one, 5, at=MARCH_10)):
        with beside(lambda: fund(one.customer, "1.00")):
            pass
        answers(one.customer)
        assert are_kept(one.customer)
        assert check(one.customer, "api_calls", at=AT).used == 0
    assert check(one.customer, "api_calls", at=AT).used == 5


def test_what_comes_while_an_answer_is_worked_out_is_in_the_next():
    one = metered()

    def free() -> int:
        return available_minor([one.customer_id], "CNY")[one.customer_id]

    def overtaken() -> int:
        before = free()
        with beside(lambda: fund(one.customer, "1.00")):
            pass
        assert free() == before
        return before

    first = entitlement_cache.kept(one.customer, "free", overtaken, at=AT)
    assert entitlement_cache.kept(one.customer, "free", free, at=AT) == first + 100


def test_nobody_is_told_less_than_what_was_committed():
    one, committed = metered(), []

    def tells():
        for _turn in range(6):
            used(one, 1, at=MARCH_10)
            committed.append(1)

    def asks():
        for _turn in range(12):
            least = len(committed)
            told = check(one.customer, "api_calls", at=AT).used
            assert least <= told

    ran = race([tells, tells, asks, asks, asks])
    assert not ran.broken
    assert not ran.lost
    assert check(one.customer, "api_calls", at=AT).used == 12
