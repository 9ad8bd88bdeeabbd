"""
What pages ask about documents. Nothing here writes.
"""

from datetime import date

from django.db.models import QuerySet
from django.db.models.functions import TruncMonth

from accounts.models import Customer, User
from crm_billing import outbox
from reports.models import ReceiptDocument
from wallet.models import Receipt


def receipts_of(customer: Customer, *, user: User) -> QuerySet[Receipt]:
    """
    Return a customer's receipts as far as this person may see them, newest first.
    """
    return Receipt.objects.visible_to(user).filter(customer=customer).order_by("-pk")


def months(receipts: QuerySet[Receipt]) -> list[date]:
    """
    Return the months that have receipts, newest first.
    """
    found = receipts.order_by().annotate(month=TruncMonth("issued_on"))
    return list(found.values_list("month", flat=True).distinct().order_by("-month"))


def document_of(receipt: Receipt) -> ReceiptDocument | None:
    """
    Return a receipt's document without its bytes, or None while it has not been drawn.
    """
    return ReceiptDocument.objects.without_pdf().filter(receipt=receipt).first()


def drawing_given_up(receipt: Receipt) -> bool:
    """
    Tell whether drawing this receipt failed so often that it waits for a person.
    """
    return outbox.parked().filter(topic="receipt.issued", key=receipt.number).exists()
