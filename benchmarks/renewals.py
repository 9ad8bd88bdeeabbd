"""
How fast due subscriptions are renewed, as a ratio to pgbench's single posting in the same run
(performance.md P7).

    python benchmarks/renewals.py                              100,000, by 1, 2 and 4 processes
    python benchmarks/renewals.py --subscriptions 5000 --rounds 1
    python benchmarks/renewals.py --subscriptions 5000 --profile

Every subscription has a customer of its own with a principal and a bonus lot, and an announced
renewal; each measurement renews all of them for one month more, and then looks that a second sweep
finds nothing. At the end the books must prove. Runs on an engine of its own with durable settings.
Prints one JSON line per measurement, then tables. Only the ratios mean anything.
"""

import argparse
import cProfile
import json
import multiprocessing
import os
import pstats
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("VAR_DIR", "var/bench-renewals")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ["DJANGO_SETTINGS_MODULE"] = "crm_billing.settings"

from crm_billing import embedded

WORKERS = (1, 2, 4)
WANTED = 1.5
BATCH = 1_000
BEGUN = datetime(2026, 1, 31, 16, tzinfo=UTC)  # midnight of the first of February in Shanghai
PRINCIPAL, BONUS = 1_000_000, 15_000  # the bonus pays one term and a half
BY_WORKERS = {"I15", "I24"}  # nobody relays and seals here


def main() -> None:
    options = arguments()
    embedded.ensure_started()
    import django

    django.setup()
    began = time.perf_counter()
    prepare(options.subscriptions)
    say(work="seed", seconds=round(time.perf_counter() - began))
    if options.profile:
        profile(options)
        return
    measured: dict[str, list[float]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)
    for number in range(options.rounds):
        for workers in WORKERS:
            name = f"renewals, {workers} process" + ("es" if workers > 1 else "")
            before = pgbench(options.seconds)
            done = renew_all(workers, options.subscriptions)
            yardstick = (before + pgbench(options.seconds)) / 2
            measured["pgbench, 1 client"].append(yardstick)
            measured[name].append(done.pop("per_second"))
            ratios[name].append(measured[name][-1] / yardstick)
            say(
                round=number + 1,
                work=name,
                per_second=round(measured[name][-1]),
                pgbench=round(yardstick),
                **done,
            )
    table(measured, ratios, options.subscriptions)
    prove()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5, help="of each look at pgbench")
    parser.add_argument("--profile", action="store_true", help="one sweep under cProfile")
    return parser.parse_args()


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def table(measured, ratios, subscriptions: int) -> None:
    print("\n| work | median /s | spread | seconds for all |\n|---|---|---|---|")
    for name, rates in measured.items():
        whole = f"{subscriptions / statistics.median(rates):,.0f}" if name in ratios else ""
        spread = f"{min(rates):,.0f}–{max(rates):,.0f}"
        print(f"| {name} | {statistics.median(rates):,.0f} | {spread} | {whole} |")
    print("\n| target | ratio | wanted | met |\n|---|---|---|---|")
    for name, values in ratios.items():
        ratio = statistics.median(values)
        met = "yes" if ratio >= WANTED else "no"
        print(f"| P7 {name} / pgbench, 1 client | {ratio:.2f} | ≥ {WANTED} | {met} |")


def pgbench(seconds: float) -> float:
    from crm_billing.embedded import postgres

    done = subprocess.run(
        [
            str(postgres.tool("pgbench")),
            *("-n", "-f", str(ROOT / "benchmarks/yardstick.pgbench"), "-M", "prepared"),
            *("-c", "1", "-j", "1", "-T", str(max(1, int(seconds)))),
        ],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | postgres.tool_environment(),
    )
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])


# Work


def renew_all(workers: int, subscriptions: int) -> dict[str, float]:
    """
    Renew everything once by so many processes that sweep side by side, then look once more.
    """
    from packages import renewals

    due = announce()
    reports = side_by_side(workers, due)
    seconds = max(one["seconds"] for one in reports)
    assert sum(one["ok"] for one in reports) == subscriptions, reports
    began = time.perf_counter()
    again = renewals.sweep(at=due)
    assert again.looked_at == 0, again
    return {
        "per_second": subscriptions / seconds,
        "seconds": round(seconds, 1),
        "shares": [one["ok"] for one in reports],
        "peak_mb": max(one["peak_mb"] for one in reports),
        "mb_at_quarters": max((one["mb_at_quarters"] for one in reports), key=max),
        "second_sweep_charged": again.ok,
        "second_sweep_ms": round((time.perf_counter() - began) * 1000),
    }


def side_by_side(workers: int, due: datetime) -> list[dict]:
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=_worker, args=(due, start, results)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    reports = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return reports


def _worker(due: datetime, start, results) -> None:
    from django.db import connection

    from packages import renewals

    connection.ensure_connection()
    sizes, over = [], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            sizes.append(_megabytes())

    start.wait()
    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    report = renewals.sweep(at=due)
    seconds = time.perf_counter() - began
    over.set()
    watcher.join()
    sizes.append(_megabytes())
    results.put(
        {
            "seconds": seconds,
            "ok": report.ok,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "mb_at_quarters": [sizes[(len(sizes) - 1) * part // 4] for part in range(1, 5)],
        }
    )


def _megabytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024**2


def profile(options: argparse.Namespace) -> None:
    """
    Show where one process spends its time on a sweep.
    """
    from packages import renewals

    due = announce()
    profiler = cProfile.Profile()
    began = time.perf_counter()
    report = profiler.runcall(renewals.sweep, at=due)
    say(seconds=round(time.perf_counter() - began, 2), ok=report.ok)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


def prove() -> None:
    from wallet import books

    found = {code: rows for code, rows in books.violations().items() if rows}
    assert found.keys() <= BY_WORKERS, found
    say(books="prove")


# Ground


def prepare(subscriptions: int) -> None:
    """
    Make as many subscriptions as wanted: a first one by the commands, and its like by SQL. Money
    comes through the ledger.
    """
    from django.core.management import call_command
    from django.db import connection

    from packages.models import Subscription

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute((ROOT / "benchmarks/yardstick.sql").read_text())
    if Subscription.objects.count() == subscriptions:
        return
    if Subscription.objects.exists():
        raise SystemExit("Give another VAR_DIR: this one has another number of them.")
    first = first_subscription()
    grow(first, subscriptions)
    fund()


def first_subscription():
    """
    Return a subscription with a trial for its first period, bought as customers buy.
    """
    from accounts import customers
    from packages import catalogue, subscriptions
    from packages.models import PriceVersion
    from packages.terms import Component, Terms

    price = Component(
        kind="RECURRING", code="base", name="基础", name_en="Basic price", amount=cny(9_900)
    )
    package = catalogue.draft(
        facts=catalogue.Facts(code="bench", kind="PLAN", name="标准版", name_en="Standard"),
        prices=[Terms(currency="CNY", interval="month", components=(price,), trial_days=28)],
        at=BEGUN,
        by=None,
    )
    catalogue.publish(package_id=package.pk, at=BEGUN, by=None)
    customer = customers.open(name="Bench", owner_email="bench@example.com", at=BEGUN)
    version = PriceVersion.objects.whole().get(package=package)
    return subscriptions.subscribe(
        customer=customer, price_version=version, auto_renew=True, at=BEGUN
    )


def grow(first, subscriptions: int) -> None:
    """
    Copy the first subscription with all that belongs to it, each for a customer of its own.
    """
    from django.db import connection, transaction

    owner = "INNER JOIN accounts_customer AS c ON c.number = 'C' || (90000000 + n)::text"
    bought = f"{owner} INNER JOIN packages_subscription AS s ON s.customer_id = c.id"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("UPDATE accounts_customer SET currency_fixed_at = %s", [BEGUN])
        copy(cursor, "accounts_customer", subscriptions, number="'C' || (90000000 + n)::text")
        copy(cursor, "accounts_consent", subscriptions, owner, customer_id="c.id")
        agreed = f"{owner} INNER JOIN accounts_consent AS k ON k.customer_id = c.id"
        copy(
            cursor,
            "packages_subscription",
            subscriptions,
            agreed,
            number="'S-BENCH-' || n::text",
            customer_id="c.id",
            consent_id="k.id",
        )
        copy(cursor, "packages_subscriptionperiod", subscriptions, bought, subscription_id="s.id")
        for kind in ("PRINCIPAL", "BONUS", "DEBT"):
            cursor.execute(
                """
                INSERT INTO wallet_ledgeraccount (book, code, kind, currency, sign, customer_id,
                    balance_minor, held_minor, minimum_minor, version)
                SELECT 'WALLET', 'W:' || c.number || ':CNY:' || k.kind, k.kind, 'CNY', k.sign, c.id,
                    0, 0, 0, 0
                FROM accounts_customer AS c, (VALUES (%s, %s)) AS k (kind, sign)
                """,
                [kind, 1 if kind == "DEBT" else -1],
            )


def copy(cursor, table: str, upto: int, joined: str = "", **other: str) -> None:
    """
    Copy the only row of a table for n = 2 to `upto`. other: columns that differ, as SQL.
    """
    cursor.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s AND column_name <> 'id'",
        [table],
    )
    columns = [name for (name,) in cursor.fetchall()]
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {', '.join(other.get(name, f't.{name}') for name in columns)}"
        f" FROM {table} AS t CROSS JOIN generate_series(2, %s) AS n {joined}",
        [upto],
    )


def fund() -> None:
    """
    Credit every wallet with a principal lot and a bonus lot.
    """
    from wallet import chart, ledger
    from wallet.models import LedgerAccount

    for kind, source, minor in (
        ("PRINCIPAL", "ADJUSTMENT", PRINCIPAL),
        ("BONUS", "BONUS_COST", BONUS),
    ):
        source_id = chart.system(source, "CNY").pk
        expires_at = BEGUN + timedelta(days=3650) if kind == "BONUS" else None
        accounts = list(LedgerAccount.objects.filter(kind=kind).values_list("pk", flat=True))
        for place in range(0, len(accounts), BATCH):
            ledger.post_many(
                [
                    ledger.Entry(
                        reference=f"bench:{account}",
                        kind="GRANT",
                        description="Benchmark",
                        postings={account: cny(-minor), source_id: cny(minor)},
                        occurred_at=BEGUN,
                        grant=ledger.Grant(origin="GOODWILL", expires_at=expires_at),
                    )
                    for account in accounts[place : place + BATCH]
                ]
            )


def announce() -> datetime:
    """
    Announce the next renewal of every subscription in time; return when they are due.
    """
    from django.db import connection, transaction

    from packages.models import Subscription

    [due] = Subscription.objects.values_list("paid_until", flat=True).distinct()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            """
            INSERT INTO packages_notice (customer_id, subscription_id, kind, period_number, step,
                code, currency, amount_minor, due_at, locale, subject, text, created_at, sent_at,
                sent_to, bounced_to, bounce_reason)
            SELECT customer_id, id, 'RENEWAL', period_number + 1, 0, '', currency, 9900, paid_until,
                'zh-hans', 'Benchmark', 'Benchmark', %s, %s, '["bench@example.com"]', '[]', ''
            FROM packages_subscription
            """,
            [due - timedelta(days=6)] * 2,
        )
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return due


def cny(minor: int):
    from crm_billing.money import from_minor

    return from_minor(minor, "CNY")


if __name__ == "__main__":
    main()
