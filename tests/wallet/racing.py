"""
Real threads that start together, each on its own connection.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection

from crm_billing.errors import DomainError
from crm_billing.transactions import sqlstate
from wallet import books

# Waiting out a loaded machine is no failure here; on deadlocks PostgreSQL does not wait.
PATIENCE = "SET lock_timeout = '20s'"


@dataclass
class Race:
    """
    What became of it. `lost` are the SQL states on the way, those that were tried again included.
    """

    answers: list[Any] = field(default_factory=list)
    lost: Counter[str | None] = field(default_factory=Counter)

    def of(self, kind: type) -> list:
        return [answer for answer in self.answers if isinstance(answer, kind)]

    @property
    def won(self) -> list:
        return [answer for answer in self.answers if not isinstance(answer, Exception)]

    @property
    def refused(self) -> set[str]:
        return {refusal.code for refusal in self.of(DomainError)}

    @property
    def broken(self) -> list[Exception]:
        """Errors no caller should ever see."""
        return [error for error in self.of(Exception) if not isinstance(error, DomainError)]


def race(calls: Iterable[Callable[[], Any]]) -> Race:
    """
    Make all calls at the same moment; their exceptions are answers too.
    """
    calls = list(calls)
    result, start = Race(), threading.Barrier(len(calls))

    def watch(execute, sql, params, many, context):
        try:
            return execute(sql, params, many, context)
        except DatabaseError as error:
            result.lost[sqlstate(error)] += 1
            raise

    def run(call: Callable[[], Any]) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute(PATIENCE)
            with connection.execute_wrapper(watch):
                start.wait(timeout=60)
                return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        result.answers = list(pool.map(run, calls))
    return result


@contextmanager
def without_locks(*functions: str) -> Iterator[None]:
    """
    Take the locks out of SQL functions, and let everybody look before anybody writes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = ANY (%s)",
            [list(functions)],
        )
        honest = [definition for (definition,) in cursor.fetchall()]
        assert len(honest) == len(functions)
        for definition in honest:
            assert "FOR NO KEY UPDATE" in definition
            cursor.execute(
                definition.replace("FOR NO KEY UPDATE", "").replace(
                    "-- Write.", "PERFORM pg_sleep(0.15); -- Write."
                )
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for definition in honest:
                cursor.execute(definition)


def prove():
    found = {code: rows for code, rows in books.violations().items() if rows}
    assert found.keys() <= {"I15", "I24"}, found
