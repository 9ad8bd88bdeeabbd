from datetime import UTC, date, datetime

import pytest
from django.db import connection

from crm_billing.sql import array

pytestmark = pytest.mark.django_db


class TestArray:
    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("bigint", []),
            ("bigint", [1, None, -(2**63), 2**63 - 1]),
            ("date", [date(2024, 2, 29), None]),
            ("timestamptz", [datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), None]),
        ],
    )
    def test_is_read_as_what_it_was(self, kind, values):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT %s::{kind}[]", [array(values)])
            assert cursor.fetchone() == (values,)
