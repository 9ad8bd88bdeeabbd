"""
A process that renews subscriptions in a test's database and may die of it.

Reads from its standard input: database, act, moment, and what the act needs.
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
    django.setup()
    from packages import renewals

    renewals.CHUNK = 2
    at = datetime.fromisoformat(order["at"])
    match order["act"]:
        case "run":
            renewals.run(at=at)
        case "retry":
            renewals.retry(customer_id=order["customer_id"], at=at)
    print("alive")


if __name__ == "__main__":
    main()
