from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.expressions import OrderBy
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from wallet.models.ledger import JournalEntry, LedgerAccount, Posting


class LotQuerySet(models.QuerySet["Lot"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(remaining_minor__gt=0)

    def free(self, customer: Customer, currency: str, order: str, at: datetime) -> Self:
        """
        Return lots with something left to spend, in a policy's order of consumption.

        The same order as in the SQL function `wallet_spend`; a test compares them.
        """
        principal_last = Case(When(kind="PRINCIPAL", then=1), default=0)
        by_expiry = F("expires_at").asc(nulls_last=True)
        orders: dict[str, list[Case | OrderBy]] = {
            "BONUS_FIRST_EARLIEST_EXPIRY": [principal_last, by_expiry],
            "PRINCIPAL_FIRST_FIFO": [principal_last.desc()],
            "EARLIEST_EXPIRY_FIRST": [by_expiry, principal_last],
        }
        return (
            self.filter(customer=customer, currency=currency, kind__in=["PRINCIPAL", "BONUS"])
            .filter(remaining_minor__gt=F("held_minor"))
            .filter(Q(expires_at=None) | Q(expires_at__gt=at))
            .order_by(*orders[order], "granted_at", "pk")
        )


class Lot(models.Model):
    """
    Credit with one origin, one expiry and one refundability.

    `remaining_minor` falls as LotUses consume it; `held_minor` of it is pinned by open holds.
    """

    class Kind(models.TextChoices):
        PRINCIPAL = "PRINCIPAL", _("Principal")
        BONUS = "BONUS", _("Bonus")
        POINTS = "POINTS", _("Points")

    class Origin(models.TextChoices):
        TOP_UP = "TOP_UP", _("Top-up")
        PROMOTION = "PROMOTION", _("Promotion")
        CASHBACK = "CASHBACK", _("Cashback")
        GOODWILL = "GOODWILL", _("Goodwill")
        ADJUSTMENT = "ADJUSTMENT", _("Adjustment")
        MIGRATION = "MIGRATION", _("Opening balance")
        OTHER = "OTHER", _("Other")

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="lots",
        verbose_name=_("customer"),
        db_index=False,
        db_constraint=False,
    )
    account = models.ForeignKey(
        LedgerAccount, models.PROTECT, related_name="lots", db_constraint=False, db_index=False
    )
    entry = models.ForeignKey(
        JournalEntry,
        models.PROTECT,
        related_name="lots",
        verbose_name=_("entry"),
        db_constraint=False,
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    origin = models.CharField(_("origin"), max_length=10, choices=Origin)
    currency = models.CharField(_("currency"), max_length=3)
    granted_minor = models.BigIntegerField(_("granted"))
    remaining_minor = models.BigIntegerField(_("remaining"))
    held_minor = models.BigIntegerField(_("held"), default=0)
    granted_at = models.DateTimeField(_("granted at"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    refundable = models.BooleanField(_("refundable"), default=False)

    objects = LotQuerySet.as_manager()

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints = [
            models.CheckConstraint(
                name="wallet_lot_held_within_remaining_within_granted",
                condition=Q(
                    held_minor__gte=0,
                    held_minor__lte=F("remaining_minor"),
                    remaining_minor__lte=F("granted_minor"),
                    granted_minor__gt=0,
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], name="wallet_lot_by_customer"),
            models.Index(
                "customer",
                "currency",
                "expires_at",
                "id",
                name="wallet_lot_open_by_customer",
                condition=Q(remaining_minor__gt=0),
            ),
            models.Index(
                "expires_at",
                name="wallet_lot_open_by_expiry",
                condition=Q(remaining_minor__gt=0, expires_at__isnull=False),
            ),
            models.Index(
                "account",
                "expires_at",
                "id",
                name="wallet_lot_open_by_account",
                condition=Q(remaining_minor__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()}"

    @property
    def granted(self) -> Money:
        return from_minor(self.granted_minor, self.currency)

    @property
    def remaining(self) -> Money:
        return from_minor(self.remaining_minor, self.currency)

    @property
    def held(self) -> Money:
        return from_minor(self.held_minor, self.currency)


class LotUse(models.Model):
    """
    What a posting took from a lot (positive), or gave back to it (negative, by a reversal).
    """

    posting = models.ForeignKey(
        Posting, models.PROTECT, related_name="lot_uses", db_constraint=False, db_index=False
    )
    lot = models.ForeignKey(
        Lot, models.PROTECT, related_name="uses", db_constraint=False, db_index=False
    )
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("lot use")
        verbose_name_plural = _("lot uses")
        constraints = [
            models.UniqueConstraint("posting", "lot", name="wallet_lotuse_once_per_posting_lot"),
        ]
        indexes = [models.Index("lot", name="wallet_lotuse_by_lot")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.amount_minor:+}"

    @property
    def amount(self) -> Money:
        """
        How much was taken or given back, without a sign.
        """
        return from_minor(abs(self.amount_minor), self.lot.currency)
