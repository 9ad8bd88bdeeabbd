"""
Receipts as documents: what one says, and its PDF, drawn once and kept.
"""

import hashlib
import unicodedata
from datetime import datetime
from typing import Any

import segno
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.safestring import SafeString, mark_safe

from crm_billing import crash, outbox
from crm_billing.money import capital_for
from reports import pdf
from reports.models import ReceiptDocument
from wallet import gateways
from wallet.models import Receipt

TEMPLATE_VERSION = "receipt-1"
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"


def draw(*, receipt_id: int, at: datetime) -> ReceiptDocument:
    """
    Draw and keep a receipt's PDF, and have it mailed; again, it is the document already kept.

    raises PdfUnavailable: this machine cannot draw.
    """
    receipt = Receipt.objects.select_related("customer", "topup").get(pk=receipt_id)
    kept = ReceiptDocument.objects.without_pdf().filter(receipt=receipt).first()
    if kept is not None:
        return kept
    content = _pdf(receipt)
    crash.point("receipt_after_draw")
    with transaction.atomic():
        document, _new = ReceiptDocument.objects.get_or_create(
            receipt=receipt,
            defaults={
                "pdf": content,
                "pdf_sha256": hashlib.sha256(content).hexdigest(),
                "template_version": TEMPLATE_VERSION,
                "rendered_at": at,
            },
        )
        outbox.put(
            topic="receipt.mail", key=receipt.number, payload={"receipt_id": receipt.pk}, at=at
        )
    crash.point("receipt_after_keep")
    return document


def facts(receipt: Receipt) -> dict[str, Any]:
    """
    Return what templates need to show a receipt: the PDF, the mail and the page say the same.
    """
    return {
        "receipt": receipt,
        "customer": receipt.customer,
        "payer": legible(receipt.payer_name),
        "capital": capital_for(receipt.amount, language=receipt.locale),
        "gateway": gateways.label(receipt.gateway),
        "external_id": legible(receipt.external_id),
        "bonus": receipt.bonus if receipt.bonus and receipt.bonus.amount else None,
        "voided": receipt.state == Receipt.State.VOIDED,
        "verify_url": verify_url(receipt),
    }


def verify_url(receipt: Receipt) -> str:
    """
    Return the public address where anybody holding the receipt can check it.
    """
    return settings.SITE_URL + reverse("reports:verify", args=[receipt.code])


def file_name(receipt: Receipt) -> str:
    return f"{receipt.number}.pdf"


def legible(text: str) -> str:
    """
    Drop what has no shape but changes how the rest is read: controls and directions of writing.

    A name is data from outside; it must not turn the words beside it around.
    """
    words = " ".join(text.split())
    return "".join(
        char
        for char in words
        if char in JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )


def _pdf(receipt: Receipt) -> bytes:
    language = receipt.locale if receipt.locale in dict(settings.LANGUAGES) else "en"
    with translation.override(language), timezone.override(receipt.customer.zone):
        context = facts(receipt) | {
            "language": "zh-Hans" if language == "zh-hans" else language,
            "qr": _qr(verify_url(receipt)),
            "issuer": settings.ISSUER_NAME,
            "issuer_email": settings.ISSUER_EMAIL,
            "brand": settings.BRAND_NAME,
            "site": settings.SITE_URL,
            "version": TEMPLATE_VERSION,
        }
        return pdf.render(
            "pdf/receipt.html", context, sheet="receipt.css", identifier=f"receipt:{receipt.number}"
        )


def _qr(text: str) -> SafeString:
    # Any mask can be read; trying all eight for the prettiest takes as long as a tenth of the page.
    drawing = segno.make(text, error="m", micro=False, mask=2).svg_inline(
        border=0, omitsize=True, svgclass=None, lineclass=None
    )
    return mark_safe(drawing)  # noqa: S308  drawn by segno; `text` becomes modules, not markup
