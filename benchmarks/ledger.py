"""
How fast the ledger is, as ratios against pgbench in the same run (performance.md P1–P6).

    make bench                     all, 5 interleaved rounds
    python benchmarks/ledger.py --only P1 --rounds 3 --seconds 2

Runs on an engine of its own with durable settings (fsync and synchronous_commit on). Prints one
JSON line per measurement, then a table. Only the ratios mean anything.
"""

import argparse
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("VAR_DIR", "var/bench")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ["DJANGO_SETTINGS_MODULE"] = "crm_billing.settings"

from crm_billing import embedded

CUSTOMERS = 200
BATCH = 1000


def main() -> None:
    options = arguments()
    embedded.ensure_started()
    import django

    django.setup()
    prepare()
    measured: dict[str, list[float]] = defaultdict(list)
    for number in range(options.rounds):
        for name, run in works(options):
            rate = run()
            measured[name].append(rate)
            print(json.dumps({"round": number + 1, "work": name, "per_second": round(rate, 1)}))
    table(measured)
    if not options.only or "P6" in options.only:
        history(options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--postings", type=int, default=1_000_000, help="history for P6")
    return parser.parse_args()


def works(options):
    wanted, seconds = options.only, options.seconds
    listed = [
        ("", "pgbench, 1 client", lambda: pgbench(1, seconds)),
        ("P1", "ledger.post, 1 client", lambda: many(post_one, 1, seconds)),
        ("P2", "spending.spend, 1 client", lambda: many(spend_one, 1, seconds)),
        ("P3", f"ledger.post_many of {BATCH}", lambda: BATCH * many(post_batch, 1, seconds)),
        ("", "pgbench, 4 clients", lambda: pgbench(4, seconds)),
        ("P1", "ledger.post, 4 processes", lambda: many(post_one, 4, seconds)),
        ("P4", "4 processes, own wallets", lambda: many(spend_own, 4, seconds)),
        ("P4", "4 processes, one wallet", lambda: many(spend_same, 4, seconds)),
    ]
    return [(name, run) for code, name, run in listed if not wanted or not code or code in wanted]


RATIOS = [
    ("P1", "ledger.post, 1 client", "pgbench, 1 client", 0.35),
    ("P1", "ledger.post, 4 processes", "pgbench, 4 clients", 0.5),
    ("P2", "spending.spend, 1 client", "pgbench, 1 client", 0.2),
    ("P3", f"ledger.post_many of {BATCH}", "pgbench, 1 client", 2.5),
    ("P4", "4 processes, one wallet", "4 processes, own wallets", 0.8),
]


def table(measured: dict[str, list[float]]) -> None:
    print("\n| work | median /s | spread |\n|---|---|---|")
    for name, rates in measured.items():
        print(f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f}–{max(rates):,.0f} |")
    print("\n| target | ratio | wanted | met |\n|---|---|---|---|")
    for code, work, yardstick, wanted in RATIOS:
        if work in measured and yardstick in measured:
            pairs = zip(measured[work], measured[yardstick], strict=True)
            ratio = statistics.median(mine / other for mine, other in pairs)
            met = "yes" if ratio >= wanted else "no"
            print(f"| {code} {work} / {yardstick} | {ratio:.2f} | ≥ {wanted} | {met} |")


# Yardstick


def pgbench(clients: int, seconds: float) -> float:
    from crm_billing.embedded import postgres

    done = subprocess.run(
        [
            str(postgres.tool("pgbench")),
            *("-n", "-f", str(ROOT / "benchmarks/yardstick.pgbench"), "-M", "prepared"),
            *("-c", str(clients), "-j", str(min(clients, 2)), "-T", str(max(1, int(seconds)))),
        ],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | postgres.tool_environment(),
    )
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])


# Works: each is called again and again by one process with its own connection


def many(work, processes: int, seconds: float) -> float:
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(processes)
    results = context.Queue()
    workers = [
        context.Process(target=_worker, args=(work, place, start, seconds, results))
        for place in range(processes)
    ]
    for worker in workers:
        worker.start()
    total = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


def _worker(work, place, start, seconds, results):
    call = work(place)
    call()
    start.wait()
    began, calls = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        call()
        calls += 1
    results.put(calls / (time.perf_counter() - began))


def post_one(place):
    from wallet import ledger

    entry = _debt_entry(place)
    return lambda: ledger.post_many([entry()])


def post_batch(place):
    from wallet import ledger

    entry = _debt_entry(place)
    return lambda: ledger.post_many([entry() for _ in range(BATCH)])


def _debt_entry(place):
    """
    The plainest posting: one account with a cached balance and no lots, one system account.
    """
    from django.utils import timezone

    from wallet import chart, ledger
    from wallet.models import LedgerAccount

    accounts = list(LedgerAccount.objects.filter(kind="DEBT").values_list("pk", flat=True))
    system, serial = chart.system("SUSPENSE", "CNY").pk, iter(range(place, 10**9))
    debit, credit = cny(100), cny(-100)

    def entry():
        account = accounts[next(serial) % len(accounts)]
        return ledger.Entry(
            reference=f"bench:{uuid.uuid4()}",
            kind="TRANSFER",
            description="Benchmark",
            postings={account: debit, system: credit},
            occurred_at=timezone.now(),
        )

    return entry


def spend_one(place):
    return _spender(lambda serial: serial)


def spend_own(place):
    return _spender(lambda serial: place)


def spend_same(place):
    return _spender(lambda serial: 0)


def _spender(choose):
    from django.utils import timezone

    from accounts.models import Customer
    from wallet import spending

    customers = list(Customer.objects.order_by("pk"))
    serial, amount = iter(range(10**9)), cny(1)

    def call():
        spending.spend(
            customer=customers[choose(next(serial)) % len(customers)],
            amount=amount,
            reference=str(uuid.uuid4()),
            description="Benchmark",
            at=timezone.now(),
        )

    return call


def cny(minor: int):
    from crm_billing.money import from_minor

    return from_minor(minor, "CNY")


# Ground


def prepare() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from accounts import customers
    from accounts.models import Customer
    from wallet import lots

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute((ROOT / "benchmarks/yardstick.sql").read_text())
    for number in range(Customer.objects.count(), CUSTOMERS):
        customer = customers.open(
            name=f"Bench {number}", owner_email=f"bench{number}@example.com", at=timezone.now()
        )
        for kind, minor in (("BONUS", 1_000), ("PRINCIPAL", 10**11)):
            lots.grant(
                customer=customer,
                amount=cny(minor),
                kind=kind,
                origin="OTHER",
                reference=f"bench:{customer.pk}:{kind}",
                at=timezone.now(),
            )


def history(options) -> None:
    """
    P6: balance and first page of activity with a thousand and with a million postings.
    """
    from accounts.models import Customer
    from wallet import activity, queries

    few, much = list(Customer.objects.order_by("-pk")[:2])
    grow(few, 1_000)
    grow(much, options.postings)
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.rounds * 20):
        for name, customer in (("1,000", few), (f"{options.postings:,}", much)):
            began = time.perf_counter()
            queries.balance(customer)
            read = time.perf_counter()
            activity.page(customer, activity.Filter())
            times[f"balance at {name}"].append(read - began)
            times[f"page at {name}"].append(time.perf_counter() - read)
    print("\n| P6 | median ms |\n|---|---|")
    for name, seconds in times.items():
        print(f"| {name} | {statistics.median(seconds) * 1000:.2f} |")
    for what in ("balance", "page"):
        small = statistics.median(times[f"{what} at 1,000"])
        big = statistics.median(times[f"{what} at {options.postings:,}"])
        met = "yes" if big / small <= 1.2 else "no"
        print(f"| {what}: ratio {big / small:.2f}, wanted ≤ 1.2, met {met} | |")


def grow(customer, postings: int) -> None:
    from django.utils import timezone

    from wallet import chart, ledger
    from wallet.models import Posting

    account = chart.wallet_accounts(customer, "CNY")["DEBT"]
    system = chart.system("SUSPENSE", "CNY")
    missing = postings - Posting.objects.filter(account=account).count()
    for start in range(0, max(0, missing), BATCH):
        ledger.post_many(
            [
                ledger.Entry(
                    reference=f"grow:{uuid.uuid4()}",
                    kind="TRANSFER",
                    description="Benchmark",
                    postings={account.pk: cny(100), system.pk: cny(-100)},
                    occurred_at=timezone.now(),
                )
                for _ in range(min(BATCH, missing - start))
            ]
        )


if __name__ == "__main__":
    main()
