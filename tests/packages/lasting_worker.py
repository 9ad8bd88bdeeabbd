"""
A process that renews subscriptions and, like a worker, tries again when its database goes away.

Takes orders as lines of JSON, each `{"act": ..., "at": ...}` and what the act needs; answers with
lines of JSON. Its database is named by its environment.
"""

import json
import os
import sys
from datetime import datetime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
from django.db import InterfaceError, InternalError, OperationalError, close_old_connections


def stock(*, at: datetime, count: int, code: str) -> None:
    """
    Let `count` customers buy for 99.00 a month and have 2.00 left after the first renewal.
    """
    from tests.factories import funded_customer
    from tests.packages.buying import bought, on_sale
    from tests.packages.renewing import DAY, told

    version = on_sale(code=code)
    begun = [bought(funded_customer("200.00"), version, at=at) for _ in range(count)]
    told(begun[0].paid_until - 6 * DAY)
    say(due=begun[0].paid_until.isoformat())


def sweep(*, at: datetime, hold: int = 0) -> None:
    """
    Sweep in chunks of two and tell of each that was acknowledged. When the connection is lost, say
    so, wait for the next line and sweep again.

    hold: stop before this commit, counted from one, until the next line comes.
    """
    from crm_billing import crash
    from packages import renewals

    renewals.CHUNK = 2
    seen = {"renewals_before_commit": 0}

    def point(reached: str) -> None:
        if reached == "renewals_after_chunk":
            say(acknowledged=renewals.CHUNK)
        if reached in seen:
            seen[reached] += 1
            if seen[reached] == hold:
                say(holding=hold)
                sys.stdin.readline()

    crash.point = point
    while True:
        try:
            done = renewals.run(at=at)
        except (OperationalError, InterfaceError, InternalError) as error:
            say(lost=type(error.__cause__ or error).__name__)
            sys.stdin.readline()
            close_old_connections()
        else:
            return say(swept=done.ok, looked_at=done.looked_at)


def prove(*, at: datetime) -> None:
    """
    Do the errands, seal, and tell what the books say and how often each was charged.
    """
    from django.db.models import Count, Q

    from crm_billing import outbox
    from packages.models import Subscription
    from tests.packages.buying import left
    from wallet import books, seal

    outbox.relay(at=at, limit=1000)
    seal.seal(at=at)
    times = Count("charges", filter=Q(charges__kind="RENEWAL"))
    say(
        violations={code: rows for code, rows in books.violations().items() if rows},
        charged=list(Subscription.objects.annotate(times=times).values_list("times", flat=True)),
        left=sorted({str(left(one.customer).amount) for one in Subscription.objects.all()}),
    )


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    django.setup()
    for line in sys.stdin:
        order = json.loads(line)
        act = {"stock": stock, "sweep": sweep, "prove": prove}[order.pop("act")]
        act(at=datetime.fromisoformat(order.pop("at")), **order)


if __name__ == "__main__":
    main()
