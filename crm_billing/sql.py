from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations import RunSQL


class _WithTheirIndexes(RunSQL):
    """
    SQL about tables made before it in the same migration.

    Django leaves their indexes and foreign keys to the end of the migration; some SQL needs them.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):  # type: ignore[no-untyped-def]
        while schema_editor.deferred_sql:
            schema_editor.execute(schema_editor.deferred_sql.pop(0))
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def sql_beside(migration_file: str) -> RunSQL:
    """
    Return a reversible RunSQL from the SQL files beside a migration.

    `0002_x.py` reads `0002_x.sql` to go forward and `0002_x.reverse.sql` to go back; the latter is
    missing where all goes with the tables. Each file is sent whole, in a list: Django cuts a plain
    string into statements, guessing where function bodies end.
    """
    path = Path(migration_file)
    back = path.with_suffix(".reverse.sql")
    return _WithTheirIndexes(
        sql=[path.with_suffix(".sql").read_text(encoding="utf-8")],
        reverse_sql=[back.read_text(encoding="utf-8")] if back.exists() else RunSQL.noop,
    )


@contextmanager
def planned_once() -> Iterator[None]:
    """
    Have PostgreSQL parse what is executed inside once for each connection, and keep its plan.

    Behind PgBouncer, where a session is not ours, nothing is kept.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    session = database.connection
    if not database.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
        session.prepare_threshold = 0
    try:
        yield
    finally:
        session.prepare_threshold = None


def array(values: Iterable[int | date | None]) -> str:
    """
    Return numbers, days or moments as PostgreSQL writes an array, for a parameter that is cast to
    one: psycopg looks at each value of a list for what it may hold.
    """
    return "{" + ",".join("NULL" if one is None else str(one) for one in values) + "}"
