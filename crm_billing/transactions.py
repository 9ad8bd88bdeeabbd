"""
Money transactions that lose a race are tried again as a whole; pages that read much at one moment.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 3
# serialization failure, deadlock, lock not available
LOST_RACES = {"40001", "40P01", "55P03"}


def retried(command: Callable[P, R]) -> Callable[P, R]:
    """
    Run a command again, at most three times in all, when PostgreSQL let another one win.

    Inside a larger transaction the error rises: only the outermost block can be repeated.
    source: docs/adr/0003-locks.md
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return command(*args, **kwargs)
        for left in reversed(range(TRIES)):
            try:
                return command(*args, **kwargs)
            except DatabaseError as error:
                if not left or sqlstate(error) not in LOST_RACES:
                    raise
                time.sleep(random.uniform(0.01, 0.05) * (TRIES - left))  # noqa: S311
        raise AssertionError("unreachable")

    return run


def money_transaction(command: Callable[P, R]) -> Callable[P, R]:
    """
    Make a command one transaction that is repeated as a whole when it loses a race.
    """
    return retried(transaction.atomic(command))


@contextmanager
def snapshot() -> Iterator[None]:
    """
    Let all reads inside see the database as it stood at one moment; nothing can be written.

    Inside a larger transaction that one's view of the database counts.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def sqlstate(error: BaseException) -> str | None:
    """
    Return PostgreSQL's code behind a Django database error, None where there is none.
    """
    return getattr(error.__cause__, "sqlstate", None)
