"""
The seal after a dump was restored into another server, whose transaction ids begin lower.

Both servers are real, and so are the dump and the restore, as docs/operations.md tells them.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from crm_billing import embedded
from tests.factories import fund, funded_customer
from tests.wallet.settling import wait_until_settled
from wallet import books, seal
from wallet.models import JournalEntry, SealBlock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.tampers]

XIDS_OF_A_YOUNG_SERVER = 20_000


def now_xid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return cursor.fetchone()[0]


def grow_older_than_a_new_server() -> None:
    missing = XIDS_OF_A_YOUNG_SERVER - now_xid()
    with connection.cursor() as cursor:
        cursor.execute(
            "DO $$ BEGIN"
            f" FOR i IN 1..{max(missing, 0)} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;"
            " END $$"
        )


def run(tool: str, *options: str) -> None:
    address = embedded.tool_environment() | {"PGDATABASE": connection.settings_dict["NAME"]}
    done = subprocess.run(
        [embedded.tool(tool), *options], env=os.environ | address, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def move(monkeypatch):
    """
    Return a function that moves the database to a new server and connects there.
    """
    folder = Path(tempfile.mkdtemp(prefix="crm"))  # not tmp_path: it may be too long for a socket
    here = connection.settings_dict.copy()
    monkeypatch.setenv("REDIS_URL", settings.CACHES["default"]["LOCATION"])

    def to_a_new_server():
        dump = folder / "crm_billing.dump"
        run("pg_dump", "--format=custom", f"--file={dump}")
        monkeypatch.setenv("VAR_DIR", str(folder))
        embedded.ensure_started()
        connection.close()
        connection.settings_dict |= {
            "HOST": embedded.tool_environment()["PGHOST"],
            "NAME": embedded.tool_environment()["PGDATABASE"],
        }
        run(
            "pg_restore",
            "--clean",
            "--if-exists",
            "--no-owner",
            "--exit-on-error",
            f"--dbname={connection.settings_dict['NAME']}",
            str(dump),
        )

    yield to_a_new_server
    connection.close()
    connection.settings_dict |= here
    if os.environ["VAR_DIR"] == str(folder):
        embedded.stop(["postgres"])
        shutil.rmtree(embedded.home(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_goes_on_after_a_restore_into_another_server(move):
    grow_older_than_a_new_server()
    customer = funded_customer("10.00")
    wait_until_settled()
    assert seal.seal(at=timezone.now()) == 1
    fund(customer, "5.00")  # not sealed yet when the dump is made
    sealed = SealBlock.objects.get().entries

    move()

    assert now_xid() < SealBlock.objects.get().last_xid
    assert seal.verify() == []
    fund(customer, "1.00")
    fund(customer, "2.00")
    wait_until_settled()
    assert seal.verify() == []
    assert seal.seal(at=timezone.now()) == 2
    assert seal.verify() == []
    fund(customer, "3.00")
    wait_until_settled()
    assert seal.seal(at=timezone.now()) == 1
    assert [block.entries for block in SealBlock.objects.order_by("pk")] == [sealed, 1, 2, 1]
    assert seal.unsealed() == (0, None)
    assert seal.verify() == []
    assert not any(books.violations().values())


def test_names_what_was_changed_before_and_after_a_restore(move):
    grow_older_than_a_new_server()
    customer = funded_customer("10.00")
    wait_until_settled()
    seal.seal(at=timezone.now())
    before = JournalEntry.objects.latest("pk").pk

    move()

    fund(customer, "1.00")
    wait_until_settled()
    seal.seal(at=timezone.now())
    after = JournalEntry.objects.latest("pk").pk
    blocks = SealBlock.objects.order_by("pk").values_list("pk", flat=True)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE wallet_journalentry SET description = 'other' WHERE id IN (%s, %s)",
            [before, after],
        )
    assert [broken.block_id for broken in seal.verify()] == list(blocks)
