"""
Tests run on the real engines; see tests/settings.py. After every test the books must prove.
"""

import pytest
from django.db import connection
from django.test import TransactionTestCase

from crm_billing import embedded
from tests.fake_gateway import fake_gateway, sandbox_keys  # noqa: F401
from tests.mailbox import mail_server, mailbox  # noqa: F401

# rows that migrations made; everything else goes after a test that committed
KEPT = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
    "packages_dunningpolicy",
    "wallet_walletpolicy",
}


def pytest_configure(config):
    embedded.ensure_started()
    config.addinivalue_line("markers", "tampers: breaks the books on purpose")
    TransactionTestCase._fixture_teardown = lambda self: empty_tables()


def empty_tables() -> None:
    """
    Empty the tables of a test that committed, past the guards that forbid exactly that.
    """
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) - KEPT
        # DELETE: the kept tables point at some of these, which TRUNCATE would not forgive
        emptied = "".join(f'DELETE FROM "{table}";' for table in sorted(tables))
        cursor.execute(
            f"SET session_replication_role = replica;{emptied}"
            "DELETE FROM wallet_walletpolicy WHERE valid_from > '2000-01-02';"
            "DELETE FROM packages_dunningpolicy WHERE valid_from > '2000-01-02';"
            "SET session_replication_role = DEFAULT"
        )


@pytest.fixture(autouse=True)
def books_prove(request):
    """
    After a test that could move money, every invariant must hold.
    """
    yield
    marker = request.node.get_closest_marker("django_db")
    if marker is None or request.node.get_closest_marker("tampers"):
        return
    from wallet import books
    from wallet.models import JournalEntry

    if JournalEntry.objects.exists():
        found = {code: rows for code, rows in books.violations().items() if rows}
        for by_workers in ("I15", "I24"):  # nothing seals or relays during a test of the past
            found.pop(by_workers, None)
        assert not found, found
