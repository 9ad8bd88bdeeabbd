"""
The private engines by hand:

    python -m crm_billing.embedded start | stop | status
    python -m crm_billing.embedded psql | pg_dump | pg_restore | pgbench [options]
"""

import os
import sys

from crm_billing import embedded

TOOLS = ("psql", "pg_dump", "pg_restore", "pgbench")


def main(arguments: list[str]) -> int:
    action = arguments[0] if arguments else "status"
    if action not in ("start", "stop", "status", *TOOLS):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        if action in TOOLS:
            embedded.ensure_started()
            program = embedded.tool(action)
            address = embedded.tool_environment()
            os.execve(program, [action, *arguments[1:]], os.environ | address)  # noqa: S606
        if action == "start":
            embedded.ensure_started()
        elif action == "stop":
            embedded.stop()
    except embedded.EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1
    for name, state in embedded.status().items():
        print(f"{name:9} {state}")
    print(f"{'folder':9} {embedded.home()}")
    return 0


sys.exit(main(sys.argv[1:]))
