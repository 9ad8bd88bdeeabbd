"""
Changing what must never change, past every guard.
"""

from django.db import connection


def tamper(sql: str) -> None:
    """
    Change data as a superuser would who first switches every trigger and foreign key off.
    """
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET session_replication_role = DEFAULT")


def settle() -> None:
    """
    Give all entries an older transaction: inside a test's only one nothing is settled.
    """
    tamper("UPDATE wallet_journalentry SET xid = id::text::xid8")
