"""
No guard goes untested: what the database has to refuse by is named in these tests.
"""

from pathlib import Path

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

HERE = Path(__file__).parent
TABLES = "^(packages_|wallet_expiry|accounts_consent$)"
# checks, rules of uniqueness, foreign keys written by hand, triggers
NAMES = """
    SELECT conname FROM pg_constraint
    WHERE conrelid::regclass::text ~ %(tables)s AND contype IN ('c', 'x', 'u')
    UNION
    SELECT conname FROM pg_constraint
    WHERE conrelid::regclass::text ~ %(tables)s AND contype = 'f' AND conname !~ '_fk_'
    UNION
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid::regclass::text ~ %(tables)s AND indisunique AND NOT indisprimary
    UNION
    SELECT tgname FROM pg_trigger
    WHERE tgrelid::regclass::text ~ %(tables)s AND NOT tgisinternal
"""
# what two foreign keys lean on; the numbers of a subscription's terms are unique without it
LEANED_ON = {"packages_period_ends_at_one_moment"}


def test_every_guard_is_named_by_a_test():
    with connection.cursor() as cursor:
        cursor.execute(NAMES, {"tables": TABLES})
        names = {name for (name,) in cursor.fetchall()} - LEANED_ON
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    assert len(names) > 200
    assert [name for name in sorted(names) if name not in tests] == []
