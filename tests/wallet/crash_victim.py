"""
A process that does one thing to a test's database and may die of it.

Reads from its standard input: database, gateways, act, and what the act needs.
"""

import base64
import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
from django.conf import settings


def main() -> None:
    order = json.load(sys.stdin)
    settings.DATABASES["default"]["NAME"] = order["database"]
    settings.GATEWAYS = order["gateways"]
    django.setup()
    from django.utils import timezone

    from wallet import payments

    at = timezone.now()
    match order["act"]:
        case "receive":
            body = base64.b64decode(order["body"])
            payments.receive(gateway="sandbox", body=body, headers=order["headers"], at=at)
        case "submit":
            payments.submit(attempt_id=order["attempt_id"], at=at)
        case "ask":
            payments.ask(attempt_id=order["attempt_id"], at=at)
    print("alive")


if __name__ == "__main__":
    main()
