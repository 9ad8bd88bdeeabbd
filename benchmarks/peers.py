"""
`ledger.post` beside two other ledgers on PostgreSQL, in turns (performance.md P5).

    pip install --target var/peers --no-deps django-hordak django-mptt
    curl the `pgledger.sql` of github.com/pgr0ss/pgledger, and before it the `uuid-to-ulid.sql` of
    github.com/scoville/pgsql-ulid, into var/peers/pgledger.sql
    python benchmarks/peers.py --folder var/peers

Each ledger has a database of its own on the engine of `benchmarks/ledger.py` and is called from
Django by one client. A process per turn, so that no ledger's settings touch another's.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

import ledger as bench

ACCOUNTS = 200
WANTED = {"django-hordak": 3.0, "pgledger": 1.5}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="where the other ledgers lie")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--turn", choices=TURNS, help="one turn only: print its rate")
    options = parser.parse_args()
    if options.turn:
        print(TURNS[options.turn](options))
        return
    measured: dict[str, list[float]] = {name: [] for name in TURNS}
    for number in range(options.rounds):
        for name, rates in measured.items():
            rates.append(turn(name, options))
            print(json.dumps({"round": number + 1, "work": name, "per_second": round(rates[-1])}))
    print("\n| work | median /s | spread |\n|---|---|---|")
    for name, rates in measured.items():
        print(f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f}–{max(rates):,.0f} |")
    print("\n| target | ratio | wanted | met |\n|---|---|---|---|")
    for name, wanted in WANTED.items():
        pairs = zip(measured["ledger.post"], measured[name], strict=True)
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        met = "yes" if ratio >= wanted else "no"
        print(f"| P5 ledger.post / {name} | {ratio:.2f} | ≥ {wanted} | {met} |")


def turn(name: str, options: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--folder", str(options.folder), "--turn", name]
    done = subprocess.run(
        [*command, "--seconds", str(options.seconds)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    return float(done.stdout.split()[-1])


def ours(options: argparse.Namespace) -> float:
    bench.embedded.ensure_started()
    import django

    django.setup()
    bench.prepare()
    return bench.many(bench.post_one, 1, options.seconds)


def hordak(options: argparse.Namespace) -> float:
    sys.path.append(str(options.folder.resolve()))
    configure("peer_hordak", ["django.contrib.contenttypes", "mptt", "djmoney", "hordak"])
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return bench.many(transfer_by_hordak, 1, options.seconds)


def transfer_by_hordak(place: int):
    from django.db import transaction
    from djmoney.money import Money
    from hordak.models import Account, AccountType

    existing = Account.objects.count()
    for number in range(existing, ACCOUNTS + 1):
        Account.objects.create(
            name=f"{number}", code=f"{number}", type=AccountType.liability, currencies=["CNY"]
        )
    system, *accounts = Account.objects.order_by("pk")
    serial = iter(range(10**9))

    def call():
        # its checks run at COMMIT, so its callers wrap it
        with transaction.atomic():
            accounts[next(serial) % ACCOUNTS].transfer_to(
                system, Money(1, "CNY"), description="Benchmark"
            )

    return call


def pgledger(options: argparse.Namespace) -> float:
    configure("peer_pgledger", [])
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pgledger_accounts')")
        if cursor.fetchone() == (None,):
            cursor.execute((options.folder / "pgledger.sql").read_text())
    return bench.many(transfer_by_pgledger, 1, options.seconds)


def transfer_by_pgledger(place: int):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pgledger_accounts")
        [existing] = cursor.fetchone()
        for number in range(existing, ACCOUNTS + 1):
            cursor.execute("SELECT id FROM pgledger_create_account(%s, 'CNY')", [f"{number}"])
        cursor.execute("SELECT id FROM pgledger_accounts ORDER BY id")
        system, *accounts = [row[0] for row in cursor.fetchall()]
    serial = iter(range(10**9))

    def call():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM pgledger_create_transfer(%s, %s, 1)",
                [accounts[next(serial) % ACCOUNTS], system],
            )
            cursor.fetchone()

    return call


def configure(database: str, apps: list[str]) -> None:
    """
    Set Django up for one other ledger, in a database made at first need.
    """
    bench.embedded.ensure_started()
    import psycopg
    from django.conf import settings

    from crm_billing import settings as portal

    own = portal.DATABASES["default"]
    with psycopg.connect(
        host=own["HOST"], user=own["USER"], dbname=own["NAME"], autocommit=True
    ) as connection:
        if not connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [database]
        ).fetchone():
            connection.execute(f"CREATE DATABASE {database}")
    os.environ.pop("DJANGO_SETTINGS_MODULE")
    settings.configure(
        DATABASES={"default": own | {"NAME": database}},
        INSTALLED_APPS=apps,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        CURRENCIES=["CNY"],
        DEFAULT_CURRENCY="CNY",
    )
    import django

    django.setup()


TURNS = {"ledger.post": ours, "django-hordak": hordak, "pgledger": pgledger}

if __name__ == "__main__":
    main()
