"""
How fast usage is taken in, as a ratio to a bare batched INSERT of the same rows in the same run
(performance.md P8).

    python benchmarks/usage.py --rounds 5 --seconds 3

The bare table has the same columns and indexes, and nothing that guards or rolls up; it is filled
in three ways, the first of them the fastest we know. Runs on an engine of its own with durable
settings. Prints one JSON line per measurement, then a table. Only the ratios mean anything.
"""

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("VAR_DIR", "var/bench")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ["DJANGO_SETTINGS_MODULE"] = "crm_billing.settings"

from crm_billing import embedded

BATCH = 1_000
WANTED = Decimal("0.5")
RECORD, TEXT = "usage.record", "bare INSERT, columns as text"
ARRAYS, MANY = "bare INSERT, columns as arrays", "bare INSERT, psycopg's executemany"
COLUMNS = (
    "customer_id, received_at, event_id, meter_id, quantity, occurred_at, counts_at, subject,"
    " corrects, value_minor, currency"
)


def main() -> None:
    options = arguments()
    embedded.ensure_started()
    import django

    django.setup()
    customer, meter = prepare()
    works = {RECORD: record, TEXT: as_text, ARRAYS: from_arrays, MANY: one_by_one}
    measured: dict[str, list[float]] = defaultdict(list)
    for number in range(options.rounds):
        for name, work in works.items():
            rate = measure(work, customer, meter, options.seconds)
            measured[name].append(rate)
            print(json.dumps({"round": number + 1, "work": name, "per_second": round(rate)}))
    table(measured)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    return parser.parse_args()


def measure(work, customer, meter, seconds: float) -> float:
    """
    Return events a second; making the batches up is not counted.
    """
    spent, done = 0.0, 0
    while spent < seconds:
        at, batch = events(meter)
        began = time.perf_counter()
        work(customer, meter, batch, at)
        spent += time.perf_counter() - began
        done += len(batch)
    return done / spent


def events(meter):
    """
    Return a batch as a busy program sends it: what happened during the last minutes.
    """
    from django.utils import timezone

    from packages.usage import Event

    at, name = timezone.now(), uuid.uuid4().hex
    return at, [
        Event(
            event_id=f"{name}-{place:04d}",
            meter=meter.code,
            quantity=Decimal(place % 97 + 1) / 4,
            occurred_at=at - timedelta(milliseconds=300 * place),
            subject=f"user-{place % 50}",
        )
        for place in range(BATCH)
    ]


def record(customer, meter, batch, at) -> None:
    from packages import usage

    result = usage.record(customer=customer, events=batch, at=at)
    assert result.accepted == len(batch)


def as_text(customer, meter, batch, at) -> None:
    """
    The same statement as ours, to the bare table.
    """
    from django.db import connection

    from packages import usage

    columns = (
        [one.event_id for one in batch],
        [str(meter.pk) for one in batch],
        [str(one.quantity) for one in batch],
        [one.occurred_at.isoformat() for one in batch],
        [one.occurred_at.isoformat() for one in batch],
        [one.subject for one in batch],
        [one.corrects for one in batch],
        ["" for one in batch],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            usage._INSERT.replace("packages_usageevent", "bench_usage")
            .replace("ON CONFLICT (customer_id, event_id) DO NOTHING", "")
            .replace("RETURNING event_id", ""),
            [customer.pk, at, customer.currency, *("\n".join(one) for one in columns)],
        )


def from_arrays(customer, meter, batch, at) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO bench_usage ({COLUMNS}) SELECT %s, %s, event_id, %s, quantity, at, at,"
            " subject, corrects, NULL, '' FROM unnest(%s::text[], %s::numeric[],"
            " %s::timestamptz[], %s::text[], %s::text[])"
            " AS n (event_id, quantity, at, subject, corrects)",
            [
                *(customer.pk, at, meter.pk),
                [one.event_id for one in batch],
                [one.quantity for one in batch],
                [one.occurred_at for one in batch],
                [one.subject for one in batch],
                [one.corrects for one in batch],
            ],
        )


def one_by_one(customer, meter, batch, at) -> None:
    from django.db import connection, transaction

    marks = ", ".join(["%s"] * 11)
    rows = [
        (
            *(customer.pk, at, one.event_id, meter.pk, one.quantity, one.occurred_at),
            *(one.occurred_at, one.subject, one.corrects, None, ""),
        )
        for one in batch
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO bench_usage ({COLUMNS}) VALUES ({marks})", rows)


def prepare():
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from accounts import customers
    from packages import meters
    from packages.models import Meter

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_usage")
        cursor.execute(
            "CREATE TABLE bench_usage"
            " (LIKE packages_usageevent INCLUDING IDENTITY INCLUDING INDEXES)"
        )
        for table_name in ("packages_usageevent", "packages_usagehour"):  # alike: both begin empty
            cursor.execute(f"ALTER TABLE {table_name} DISABLE TRIGGER USER")
            cursor.execute(f"TRUNCATE {table_name}")
            cursor.execute(f"ALTER TABLE {table_name} ENABLE TRIGGER USER")
    at = timezone.now()
    meter = Meter.objects.filter(code="bench").first() or meters.add(
        code="bench", name="量", name_en="Bench", aggregation="SUM", at=at, by=None
    )
    customer = customers.open(
        name="Bench usage", owner_email=f"{uuid.uuid4().hex}@example.com", at=at
    )
    return customer, meter


def table(measured: dict[str, list[float]]) -> None:
    print("\n| work | median events/s | spread |\n|---|---|---|")
    for name, rates in measured.items():
        print(f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f}–{max(rates):,.0f} |")
    print("\n| target | ratio | spread | wanted | met |\n|---|---|---|---|---|")
    for yardstick in (TEXT, ARRAYS, MANY):
        pairs = zip(measured[RECORD], measured[yardstick], strict=True)
        ratios = [mine / other for mine, other in pairs]
        ratio = statistics.median(ratios)
        met = "yes" if ratio >= WANTED else "no"
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
        print(f"| P8 {RECORD} / {yardstick} | {ratio:.2f} | {spread} | ≥ {WANTED} | {met} |")


if __name__ == "__main__":
    main()
