"""
Waiting until the seal may take what was written.
"""

import time

from django.db import connection


def wait_until_settled() -> None:
    """
    Wait until no transaction on this server is older than the entries there are.
    """
    deadline = time.monotonic() + 60
    while _unsettled():
        assert time.monotonic() < deadline, "another transaction on this server never ends"
        time.sleep(0.1)


def _unsettled() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM wallet_journalentry"
            " WHERE cluster = (pg_control_system()).system_identifier"
            " AND xid >= pg_snapshot_xmin(pg_current_snapshot())"
        )
        return cursor.fetchone()[0]
