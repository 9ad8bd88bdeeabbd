from pathlib import Path

from django.db.migrations import RunSQL


def sql_beside(migration_file: str) -> RunSQL:
    """
    Return a reversible RunSQL from the two SQL files beside a migration.

    `0002_x.py` reads `0002_x.sql` to go forward and `0002_x.reverse.sql` to go back.
    Each file is sent whole, in a list: Django cuts a plain string into statements, guessing
    where function bodies end.
    """
    path = Path(migration_file)
    return RunSQL(
        sql=[path.with_suffix(".sql").read_text(encoding="utf-8")],
        reverse_sql=[path.with_suffix(".reverse.sql").read_text(encoding="utf-8")],
    )
