"""
Migrations go forward, back to nothing, and forward again on an empty database.
"""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

OURS = ("reports", "packages", "wallet", "accounts", "crm_billing")  # who points at whom first

# everything a migration can leave behind, each with its definition
SCHEMA = """
    SELECT 'column', table_name || '.' || column_name,
        concat_ws(' ', data_type, character_maximum_length, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'sequence', sequencename, data_type::text FROM pg_sequences WHERE schemaname = 'public'
    UNION ALL
    SELECT 'type', typname, typtype::text FROM pg_type AS t
    WHERE typnamespace = 'public'::regnamespace AND typelem = 0
        AND NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = t.typrelid AND relkind <> 'c')
"""


@pytest.fixture
def empty_database(django_db_setup, django_db_blocker) -> Iterator[None]:
    """
    Point the default connection at a new and empty database; drop it afterwards.
    """
    name = connection.settings_dict["NAME"]
    scratch = f"{name}_scratch"
    with django_db_blocker.unblock():
        server(f'DROP DATABASE IF EXISTS "{scratch}"', f'CREATE DATABASE "{scratch}"')
        connection.close()
        connection.settings_dict["NAME"] = scratch
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = name
            server(f'DROP DATABASE "{scratch}"')


def server(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def migrate(*target: str) -> None:
    call_command("migrate", *target, verbosity=0, interactive=False)


def schema() -> dict[tuple[str, str], str]:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        return {(kind, name): definition for kind, name, definition in cursor.fetchall()}


def ours(found: dict[tuple[str, str], str]) -> set[tuple[str, str]]:
    """
    Return what of a schema our apps made: tables and what hangs on them, functions, types.

    The functions of pghistory's triggers outlive their triggers; it makes them anew each time.
    """
    return {
        (kind, name)
        for kind, name in found
        if name.startswith(tuple(f"{app}_" for app in OURS)) or kind in ("function", "type")
        if not name.startswith(("pgtrigger_", "_pgtrigger_", "_pgh_"))
    }


def models_of_ours() -> list:
    return [model for model in apps.get_models() if model._meta.app_label in OURS]


def test_go_forward_back_to_nothing_and_forward_again(empty_database):
    migrate()
    first = schema()
    tables = {name.split(".")[0] for kind, name in first if kind == "column"}
    assert {model._meta.db_table for model in models_of_ours()} <= tables

    for app in OURS:
        if apps.get_app_config(app).models_module:
            migrate(app, "zero")
    assert ours(schema()) == set()

    migrate()
    again = schema()
    assert again.keys() == first.keys()
    assert {key for key in first if first[key] != again[key]} == set()


@pytest.mark.django_db
class TestTheDatabase:
    def test_needs_no_extension(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT extname FROM pg_extension")
            assert cursor.fetchall() == [("plpgsql",)]

    def test_is_what_the_models_say(self):
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
