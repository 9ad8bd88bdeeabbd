"""
The states of documents are the same in Python and in PostgreSQL.
"""

import pytest
from django.db import connection

from wallet.states import TRANSITIONS

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("table", sorted(TRANSITIONS))
def test_the_triggers_allow_the_same_states_as_python(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgargs FROM pg_trigger WHERE tgname = %s",
            [f"{table}_state_follows"],
        )
        [arguments] = cursor.fetchone()
    pairs = {tuple(pair.split(">")) for pair in bytes(arguments).decode().split("\x00") if pair}
    assert pairs == set(TRANSITIONS[table])
