"""
A worker that relays a test's errands once and may die of it.

Reads from its standard input: database, mail server's port, and the moment.
"""

import json
import os
import sys
from datetime import datetime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
from django.conf import settings


def main() -> None:
    order = json.load(sys.stdin)
    settings.DATABASES["default"]["NAME"] = order["database"]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", order["port"]
    django.setup()
    from crm_billing import outbox

    outbox.relay(at=datetime.fromisoformat(order["at"]))
    print("alive")


if __name__ == "__main__":
    main()
