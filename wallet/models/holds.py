from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from wallet.models.ledger import JournalEntry
from wallet.models.lots import Lot


class HoldQuerySet(models.QuerySet["Hold"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(state=Hold.State.OPEN)


class Hold(models.Model):
    """
    Money promised but not moved. OPEN → CAPTURED (all or part moved) | RELEASED | EXPIRED.

    A hold pins parts of named lots (HoldLot), so what it promised cannot expire or be spent.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", _("Open")
        CAPTURED = "CAPTURED", _("Captured")
        RELEASED = "RELEASED", _("Released")
        EXPIRED = "EXPIRED", _("Expired")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="holds", verbose_name=_("customer")
    )
    reference = models.CharField(_("reference"), max_length=100)
    description = models.CharField(_("description"), max_length=200, blank=True, default="")
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"))
    captured_minor = models.BigIntegerField(_("captured"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    placed_at = models.DateTimeField(_("placed"))
    expires_at = models.DateTimeField(_("expires"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    entry = models.OneToOneField(
        JournalEntry,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="hold",
        verbose_name=_("entry"),
    )
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("actor")
    )

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.UniqueConstraint(
                "customer", "reference", name="wallet_hold_reference_once_per_customer"
            ),
            models.CheckConstraint(
                name="wallet_hold_amount_positive", condition=Q(amount_minor__gt=0)
            ),
            models.CheckConstraint(
                name="wallet_hold_captured_within_amount",
                condition=Q(captured_minor__gte=0, captured_minor__lte=F("amount_minor")),
            ),
            models.CheckConstraint(
                name="wallet_hold_captured_iff_entry",
                condition=Q(state="CAPTURED", entry__isnull=False, captured_minor__gt=0)
                | Q(state__in=["OPEN", "RELEASED", "EXPIRED"], entry=None, captured_minor=0),
            ),
            models.CheckConstraint(
                name="wallet_hold_closed_at_iff_closed",
                condition=Q(state="OPEN", closed_at=None)
                | (~Q(state="OPEN") & Q(closed_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="wallet_hold_expires_after_placed",
                condition=Q(expires_at__gt=F("placed_at")),
            ),
        ]
        indexes = [
            models.Index("expires_at", name="wallet_hold_open_by_expiry", condition=Q(state="OPEN"))
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def title(self) -> str:
        """
        What a customer calls it.
        """
        return self.description or self.reference

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.currency)

    @property
    def captured(self) -> Money:
        return from_minor(self.captured_minor, self.currency)


class HoldLot(models.Model):
    """
    The part of a lot that a hold pinned when it was placed.
    """

    hold = models.ForeignKey(Hold, models.PROTECT, related_name="parts", db_index=False)
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="hold_parts")
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint("hold", "lot", name="wallet_holdlot_once_per_hold_lot"),
            models.CheckConstraint(
                name="wallet_holdlot_amount_positive", condition=Q(amount_minor__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.amount_minor}"
