"""
How long a question about an entitlement takes, as a ratio to reading the wallet's balance in the
same run, with a short and with a long history of use behind it.

    python benchmarks/entitlements.py --rounds 5 --seconds 2

FEATURE: a yes or no. STOPS: calls of which what is included is all. CAPPED: calls that go on up to
an amount, with a cap of the month. Each is asked three times over: "kept" again and again, "missed"
so that nothing is ever found kept, "worked out" past the cache. Runs on an engine of its own.
Prints one JSON line per measurement, then a table. Only the ratios mean anything.
"""

import argparse
import itertools
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

BALANCE = "wallet balance"
LONG = 60  # batches of a thousand events, over the last two days


def main() -> None:
    options = arguments()
    embedded.ensure_started()
    import django

    django.setup()
    measured: dict[str, list[float]] = defaultdict(list)
    for history, batches in (("few events", 1), (f"{LONG},000 events", LONG)):
        works = prepare(batches)
        for number in range(options.rounds):
            for name, work in works.items():
                rate = measure(work, options.seconds)
                measured[f"{history}: {name}"].append(rate)
                print(json.dumps({"round": number + 1, "work": name, "per_second": round(rate)}))
    table(measured)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    return parser.parse_args()


def measure(work, seconds: float) -> float:
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        work()
        done += 1
    return done / (time.perf_counter() - began)


def prepare(batches: int) -> dict:
    """
    Make two customers with a package that counts calls, so many thousand told; return the works.
    """
    from django.core.management import call_command
    from django.db import transaction
    from django.utils import timezone

    from packages import allowing, entitlements
    from tests.factories import cny
    from wallet import queries

    call_command("migrate", verbosity=0)
    now = timezone.now()
    before = now - timedelta(hours=1)
    stops, capped = subscribed(now, batches), subscribed(now, batches)
    allowing.allow(
        subscription_id=capped.pk,
        code="api_calls",
        policy="CAP_AMOUNT",
        most=cny("500.00"),
        at=before,
    )
    allowing.cap(customer=capped.customer, most=cny("900.00"), at=before)

    def kept(subscription, code):
        return lambda: entitlements.check(subscription.customer, code, at=timezone.now())

    def missed(subscription, code):
        nth = itertools.count(1)  # how many are wanted: each time another question
        return lambda: entitlements.check(
            subscription.customer, code, at=timezone.now(), quantity=1 + Decimal(next(nth)) / 10**6
        )

    def worked_out(subscription, code):
        return transaction.atomic(kept(subscription, code))

    works = {BALANCE: lambda: queries.balance(stops.customer, "CNY").available}
    for name, subscription, code in (
        ("FEATURE", stops, "exports"),
        ("STOPS", stops, "api_calls"),
        ("CAPPED", capped, "api_calls"),
    ):
        for way in (kept, missed, worked_out):
            works[f"{name} {way.__name__.replace('_', ' ')}"] = way(subscription, code)
    return works


def subscribed(now, batches: int):
    from packages import subscriptions, usage
    from packages.models import Meter, PriceVersion
    from packages.usage import Event
    from tests.factories import UserFactory, fund, open_customer
    from tests.packages import metering, shelf

    begun = now - timedelta(days=3)
    if not Meter.objects.filter(code="api_calls").exists():
        metering.meter()
    owner = UserFactory(email=f"bench-{uuid.uuid4()}@example.com")
    customer = fund(open_customer("Bench", owner=owner, at=begun), "5000.00", at=begun)
    code = f"bench-{customer.pk}"
    one = shelf.calls(batches * 900)
    shelf.published(shelf.terms(shelf.basic(), shelf.feature(), one), code=code, at=begun)
    version = PriceVersion.objects.get(package__code=code)
    held = subscriptions.subscribe(
        customer=customer, price_version=version, auto_renew=False, at=begun
    )
    for batch in range(batches):
        moment = now - timedelta(hours=48 * batch / batches)
        events = [
            Event(
                event_id=f"{batch}-{number}",
                meter="api_calls",
                quantity=Decimal(1),
                occurred_at=moment,
            )
            for number in range(1_000)
        ]
        assert usage.record(customer=customer, events=events, at=now).accepted == len(events)
    return held


def table(measured: dict[str, list[float]]) -> None:
    print(f"\n{'':32}{'a second':>10}{'ms':>8}{'× balance':>11}")
    bare = 0.0
    for name, rates in measured.items():
        rate = statistics.median(rates)
        bare = rate if name.endswith(BALANCE) else bare
        print(f"{name:32}{rate:>10,.0f}{1000 / rate:>8.2f}{bare / rate:>11.2f}")


if __name__ == "__main__":
    try:
        main()
    finally:
        embedded.stop()
