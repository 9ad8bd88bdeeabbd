#!/usr/bin/env python
"""Django's command line; starts the private engines first when a command needs them."""

import os
import sys

WITHOUT_ENGINES = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "help",
    "makemessages",
    "messages",
    "portal",  # starts them itself, to know whether to stop them
    "spectacular",
    "version",
}


def needs_engines(arguments: list[str]) -> bool:
    """Say whether the command line names a command that reads the database."""
    if not arguments or arguments[0].startswith("-") or {"-h", "--help"} & set(arguments):
        return False
    return arguments[0] not in WITHOUT_ENGINES or "--database" in arguments


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_billing.settings")
    try:
        from django.core.management import execute_from_command_line
        from django.db import OperationalError

        from crm_billing import embedded
    except ModuleNotFoundError as error:
        sys.exit(
            f"{error}. Install the project first: `make run` does, or `.ci/setup runtime`,\n"
            "then use its Python: .venv/bin/python manage.py …"
        )
    try:
        if needs_engines(sys.argv[1:]):
            embedded.ensure_started()
        execute_from_command_line(sys.argv)
    except embedded.EmbeddedError as error:
        sys.exit(str(error))
    except OperationalError as error:
        # Without an SQLSTATE no server answered at all: the address is wrong or nobody listens.
        unreachable = getattr(error.__cause__, "sqlstate", None) is None
        if not unreachable or "--traceback" in sys.argv:
            raise
        sys.exit(f"The database does not answer; is DATABASE_URL right?\n{error}")


if __name__ == "__main__":
    main()
