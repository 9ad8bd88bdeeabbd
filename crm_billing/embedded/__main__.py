"""`python -m crm_billing.embedded start | stop | status`: the private engines by hand."""

import sys

from crm_billing import embedded


def main(arguments: list[str]) -> int:
    action = arguments[0] if arguments else "status"
    if action not in ("start", "stop", "status"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
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
