"""
Rows written past triggers and foreign keys, for what they point at need not be there: what refuses
another row like one that is legal is the one thing that was changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from psycopg import sql

from tests.packages.rows import BELOW, ROWS, Facts
from tests.packages.test_subscription_guards import refused


def row(table: str, facts: Facts | None = None) -> str:
    """
    Return a statement that adds the row of a table, but for some columns.
    """
    wanted = (ROWS | BELOW)[table] | (facts or {})
    return (
        sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        .format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, wanted)),
            sql.SQL(", ").join(map(sql.Literal, wanted.values())),
        )
        .as_string()
    )


@contextmanager
def no_triggers() -> Iterator[None]:
    """
    Switch triggers and foreign keys off; what a row says of itself is still looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


def write(table: str, facts: Facts | None = None) -> None:
    """
    Add the row of a table, but for some columns, which must be legal.
    """
    with no_triggers():
        assert refused(row(table, facts)) is None
