from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from crm_billing.money import DocumentMoneyField
from wallet.models.topups import TopUp


class ReceiptSeries(models.Model):
    """
    The last number given out in a year; its row is locked while the next one is taken.
    """

    year = models.IntegerField(unique=True)
    last = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("receipt series")
        verbose_name_plural = _("receipt series")

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class Receipt(models.Model):
    """
    Proof of one payment, numbered without gaps in the transaction that credits it.

    It keeps what it says (payer, amounts, balance) as of then; reports draws the PDF from it.
    """

    class State(models.TextChoices):
        ISSUED = "ISSUED", _("Valid")
        VOIDED = "VOIDED", _("Void")

    number = models.CharField(_("number"), max_length=20, unique=True, editable=False)
    year = models.IntegerField(editable=False)
    serial = models.IntegerField(editable=False)
    code = models.CharField(max_length=32, unique=True, editable=False)
    topup = models.OneToOneField(
        TopUp, models.PROTECT, related_name="receipt", verbose_name=_("top-up")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="receipts", verbose_name=_("customer")
    )
    payer_name = models.CharField(_("payer"), max_length=200)
    amount = DocumentMoneyField(_("amount"))
    bonus = DocumentMoneyField(_("bonus"), null=True, blank=True)
    balance_after = DocumentMoneyField(_("balance after"))
    gateway = models.CharField(_("gateway"), max_length=20)
    external_id = models.CharField(_("gateway's number"), max_length=64)
    paid_at = models.DateTimeField(_("paid"))
    issued_at = models.DateTimeField(_("issued"))
    issued_on = models.DateField(_("date"))
    locale = models.CharField(max_length=10)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ISSUED)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        constraints = [
            models.UniqueConstraint("year", "serial", name="wallet_receipt_serial_once_per_year"),
            models.CheckConstraint(
                name="wallet_receipt_amount_positive", condition=Q(amount__gt=0)
            ),
        ]
        indexes = [models.Index(fields=["customer", "-id"], name="wallet_receipt_by_customer")]

    def __str__(self) -> str:
        return self.number
