from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from wallet.models import Receipt


class ReceiptDocumentQuerySet(models.QuerySet["ReceiptDocument"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(receipt__in=Receipt.objects.visible_to(user))

    def without_pdf(self) -> Self:
        return self.defer("pdf")


class ReceiptDocument(models.Model):
    """
    The PDF of a receipt, drawn once and never again: these bytes are what the payer holds.

    The database refuses other bytes, another hash and a second mailing.
    source: docs/adr/0006-documents-in-the-database.md
    """

    receipt = models.OneToOneField(
        Receipt, models.PROTECT, related_name="document", verbose_name=_("receipt")
    )
    pdf = models.BinaryField()
    pdf_sha256 = models.CharField("SHA-256", max_length=64, editable=False)
    template_version = models.CharField(_("template"), max_length=20, editable=False)
    rendered_at = models.DateTimeField(_("drawn"))
    mailed_at = models.DateTimeField(_("mailed"), null=True, blank=True)
    message_id = models.CharField(max_length=120, blank=True, editable=False)

    objects = ReceiptDocumentQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt document")
        verbose_name_plural = _("receipt documents")
        constraints = [
            models.CheckConstraint(
                name="reports_receiptdocument_hash_is_hex",
                condition=Q(pdf_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(
                name="reports_receiptdocument_mailed_iff_message_id",
                condition=Q(mailed_at=None, message_id="")
                | (Q(mailed_at__isnull=False) & ~Q(message_id="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.receipt}.pdf"
