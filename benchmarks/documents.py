"""
How fast receipts are drawn, beside bare WeasyPrint on the same HTML (P9 of the targets).

    .ci/with python benchmarks/documents.py --rounds 5 --documents 20 --memory 1000

Makes a database of its own on the private engine, credits real top-ups, and draws their receipts.
The ways take turns document by document (bare, ours, bare, ours, …) so that a busy machine disturbs
all alike; CPU time is what counts, since drawing is all CPU. One JSON line a round, then a table.

bare      HTML(string=html).write_pdf(), style sheet and fonts parsed once and reused
naive     the same as a script would call it first: style sheet and fonts parsed each time
drawn     our template, QR code and style sheet, to the finished bytes
kept      reports.receipts.draw: that, and the transaction that keeps it
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_billing.settings")
os.environ.setdefault("VAR_DIR", "var/bench")
os.environ.setdefault("EMBEDDED_FAST", "1")
os.environ.setdefault("DEMO", "1")
os.environ.setdefault("SECRET_KEY", "benchmarks-only")
os.environ.setdefault("SANDBOX_GATEWAY_URL", "http://127.0.0.1:1")

import django

from crm_billing import embedded

embedded.ensure_started()
django.setup()

from django.conf import settings
from django.db import connection
from django.utils import timezone, translation
from djmoney.money import Money

from accounts import customers
from reports import pdf, receipts
from wallet import facts, topups
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import Receipt

AT = datetime(2026, 3, 5, 1, 2, 3, tzinfo=UTC)
TARGET = 0.8


def credited(count: int) -> list[Receipt]:
    """
    Return the receipts of so many top-ups, each of a customer of its own.
    """
    for serial in range(count):
        customer = customers.open(
            name=f"上海晨星科技有限公司第{serial}分公司",
            owner_email=f"bench{serial}@example.com",
            at=AT,
        )
        promise = topups.Promise(bonus=Money("100.00", "CNY"))
        amount = Money("12345.67", "CNY")
        topup = topups.start(
            customer=customer, amount=amount, gateway="sandbox", at=AT, promise=promise
        )
        fact = GatewayFact(
            gateway="sandbox",
            merchant_id="CRMPORTAL",
            number=topup.attempts.get().number,
            external_id=f"bench{serial:016d}",
            status=PaymentStatus.PAID,
            amount=amount,
            paid_at=AT,
        )
        facts.settle(fact, at=AT, learned_by="CALLBACK")
    return list(Receipt.objects.select_related("customer", "topup").order_by("pk"))


def html_of(receipt: Receipt) -> str:
    """
    Return the HTML our own drawing hands to WeasyPrint for this receipt.
    """
    caught: list[str] = []
    press = pdf._press()
    original, press.draw = press.draw, lambda html, **_: caught.append(html) or b""
    try:
        receipts._pdf(receipt)
    finally:
        press.draw = original
    return caught[0]


def bare_print() -> Callable[[str], bytes]:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    from reports.press import PackagedOnly

    fonts = FontConfiguration()
    sheet = CSS(string=_css(), font_config=fonts, url_fetcher=PackagedOnly())
    return lambda html: HTML(string=html).write_pdf(stylesheets=[sheet], font_config=fonts)


def naive_print() -> Callable[[str], bytes]:
    from weasyprint import HTML

    from reports.press import PackagedOnly

    def draw(html: str) -> bytes:
        page = html.replace("</head>", f"<style>{_css()}</style></head>")
        return HTML(string=page, url_fetcher=PackagedOnly()).write_pdf()

    return draw


def _css() -> str:
    folder = ROOT / "templates" / "pdf"
    return "".join((folder / name).read_text("utf-8") for name in ("paper.css", "receipt.css"))


def timed(work: Callable[[], object]) -> float:
    """
    Return the milliseconds of CPU it took.
    """
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(rounds: int, documents: int, report: Callable[[dict], None]) -> dict[str, float]:
    """
    Return the median milliseconds of CPU one document costs each way.
    """
    rows = credited(rounds * documents + 1)
    html = html_of(rows[0])
    bare, naive = bare_print(), naive_print()
    receipts._pdf(rows[0]), bare(html), naive(html)  # warm up
    ways: dict[str, Callable[[Receipt], object]] = {
        "bare": lambda row: bare(html),
        "drawn": receipts._pdf,
        "kept": lambda row: receipts.draw(receipt_id=row.pk, at=timezone.now()),
    }
    spent: dict[str, list[float]] = {name: [] for name in [*ways, "naive"]}
    for number in range(rounds):
        for row in rows[1 + number * documents :][:documents]:
            for name, work in ways.items():
                spent[name].append(timed(lambda work=work, row=row: work(row)))
        spent["naive"].append(timed(lambda: naive(html)))
        for name in ways:
            cost = statistics.median(spent[name][-documents:])
            report({"round": number, "way": name, "documents": documents, "ms_cpu": round(cost, 2)})
    return {name: statistics.median(values) for name, values in spent.items()}


def memory(documents: int, report: Callable[[dict], None]) -> tuple[float, float]:
    """
    Return the resident megabytes after a tenth of the documents and after all of them.
    """
    receipt = Receipt.objects.select_related("customer", "topup").first()
    after_a_tenth = 0.0
    for number in range(1, documents + 1):
        receipts._pdf(receipt)
        if number == max(1, documents // 10):
            after_a_tenth = resident_mb()
        if number % max(1, documents // 10) == 0:
            report({"memory": number, "rss_mb": round(resident_mb(), 1)})
    return after_a_tenth, resident_mb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=int, default=20, help="a round and way")
    parser.add_argument("--memory", type=int, default=1000, help="documents for the memory run")
    arguments = parser.parse_args()

    def report(line: dict) -> None:
        print(json.dumps(line), flush=True)

    settings.GATEWAYS["sandbox"]["keys_directory"] = str(embedded.home() / "sandbox-keys")
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        translation.activate("zh-hans")
        cost = measure(arguments.rounds, arguments.documents, report)
        early, late = memory(arguments.memory, report) if arguments.memory else (0, 0)
        size = len(receipts._pdf(Receipt.objects.select_related("customer", "topup").first()))
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
    print(f"\n{'way':8}{'ms CPU':>10}{'per core/s':>12}{'of bare':>10}")
    for way in ("bare", "drawn", "kept", "naive"):
        share = cost["bare"] / cost[way]
        print(f"{way:8}{cost[way]:10.1f}{1000 / cost[way]:12.1f}{share:10.2f}")
    verdict = "met" if cost["bare"] / cost["kept"] >= TARGET else "MISSED"
    print(f"\nP9: kept / bare = {cost['bare'] / cost['kept']:.2f}, target {TARGET}: {verdict}")
    print(f"one PDF: {size / 1000:.1f} kB")
    if arguments.memory:
        print(f"RSS after {arguments.memory // 10} documents {early:.0f} MB, ", end="")
        print(f"after {arguments.memory} {late:.0f} MB")


if __name__ == "__main__":
    main()
