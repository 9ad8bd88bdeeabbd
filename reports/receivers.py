"""
Errands of documents: run by the outbox's worker, after commit.
"""

from datetime import datetime
from typing import Any

from crm_billing import outbox
from reports import mails, receipts


@outbox.handles("receipt.issued")
def draw_receipt(payload: dict[str, Any], *, at: datetime) -> None:
    receipts.draw(receipt_id=payload["receipt_id"], at=at)


@outbox.handles("receipt.mail")
def mail_receipt(payload: dict[str, Any], *, at: datetime) -> None:
    mails.mail_receipt(receipt_id=payload["receipt_id"], at=at)


@outbox.handles("outbox.parked")
def tell_of_parked(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_parked(topic=payload["topic"], key=payload["key"], reason=payload["reason"])


@outbox.handles("adjustment.overdue")
def tell_of_overdue(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_overdue(adjustment_id=payload["adjustment_id"], at=at)
