"""
Processes of their own that do one thing to the test's database, and may be killed at it.
"""

import json
import os
import signal
import subprocess
import sys

from django.conf import settings
from django.db import connection

from tests.crm_billing.processes import wait_for

NAME = "crash_victim"
SECONDS = 120


def run(module: str, crash: str, order: dict[str, object]) -> subprocess.CompletedProcess:
    """
    Have the module do what is ordered, to die at the point named; return when PostgreSQL too has
    ended what it did: until then its locks are held.
    """
    ended = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps({"database": connection.settings_dict["NAME"]} | order),
        env=os.environ | {"CRASH": crash, "PGAPPNAME": NAME},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert wait_for(lambda: not _is_connected(), SECONDS), "what the dead began does not end"
    return ended


def dies(module: str, crash: str, order: dict[str, object]) -> None:
    """
    Assert that it is killed at the point.
    """
    ended = run(module, crash, order)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def _is_connected() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [NAME],
        )
        return cursor.fetchone() is not None
