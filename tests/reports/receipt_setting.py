"""
What tests of receipts start from: payments that have really been credited.
"""

import io
from datetime import UTC, datetime
from itertools import count

from djmoney.money import Money
from pypdf import PdfReader

from accounts.models import Customer
from crm_billing import outbox
from reports import receipts
from reports.models import ReceiptDocument
from tests.factories import open_customer
from tests.packages.planting import no_triggers
from wallet import facts, topups
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import Receipt

PAID = datetime(2026, 3, 5, 1, 2, 3, tzinfo=UTC)
RUN = datetime(2026, 3, 5, 1, 3, tzinfo=UTC)

_serial = count(1)


def issued(
    customer: Customer | None = None,
    amount: str = "12345.67",
    *,
    bonus: str = "",
    at: datetime = PAID,
    external_id: str = "",
    **fields,
) -> Receipt:
    """
    Return the receipt of a top-up the gateway has confirmed. Needs the `fake_gateway` fixture.

    fields: of the customer, when none is given.
    """
    customer = customer or open_customer(**fields)
    money = Money(amount, customer.currency)
    promise = topups.Promise(bonus=Money(bonus, customer.currency)) if bonus else None
    topup = topups.start(customer=customer, amount=money, gateway="sandbox", at=at, promise=promise)
    facts.settle(
        GatewayFact(
            gateway="sandbox",
            merchant_id="CRMPORTAL",
            number=topup.attempts.get().number,
            external_id=external_id or f"2026112222001{next(_serial):08d}",
            status=PaymentStatus.PAID,
            amount=money,
            paid_at=at,
        ),
        at=at,
        learned_by="CALLBACK",
    )
    return Receipt.objects.get(topup=topup)


def named(name: str) -> Customer:
    """
    Return a customer whose name is older than the rule for names.
    """
    customer = open_customer()
    with no_triggers():
        Customer.objects.filter(pk=customer.pk).update(name=name)
    customer.refresh_from_db()
    return customer


def drawn(receipt: Receipt, *, at: datetime = RUN) -> ReceiptDocument:
    return receipts.draw(receipt_id=receipt.pk, at=at)


def run_errands(at: datetime = RUN) -> outbox.Relayed:
    """
    Do what the worker does every few seconds.
    """
    return outbox.relay(at=at)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def squeezed(text: str) -> str:
    """
    Drop all blanks: where a PDF breaks its lines is no matter.
    """
    return "".join(text.split())
