from datetime import datetime
from typing import Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from crm_billing.money import DocumentMoneyField
from wallet.models.ledger import JournalEntry
from wallet.models.policies import WalletPolicy

LONGEST_BONUS_DAYS = 36_500


class TopUpQuerySet(models.QuerySet["TopUp"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(state__in=[TopUp.State.CREATED, TopUp.State.PENDING])

    def credited_since(self, moment: datetime) -> Self:
        return self.filter(entry__occurred_at__gte=moment)

    def awaiting_customer(self) -> Self:
        """
        Leave out what is with the staff: nobody should pay it now.
        """
        return self.open().exclude(
            attempts__cases__kind__in=["AMOUNT_MISMATCH", "CURRENCY_MISMATCH", "GATEWAY_MISMATCH"]
        )


class TopUp(models.Model):
    """
    What a customer asked to pay in: an amount, once. Attempts at gateways belong to it.

    What it promised (bonus, terms) is written here before the customer pays and honoured when
    the money arrives. Late money still credits: EXPIRED → PAID, CANCELLED → PAID.
    """

    class State(models.TextChoices):
        CREATED = "CREATED", _("Created")
        PENDING = "PENDING", _("Waiting for payment")
        PAID = "PAID", _("Paid")
        EXPIRED = "EXPIRED", _("Expired")
        CANCELLED = "CANCELLED", _("Cancelled")

    number = models.CharField(
        _("number"),
        max_length=32,
        unique=True,
        editable=False,
        validators=[RegexValidator(r"^[A-Z0-9]{6,32}$")],
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="topups", verbose_name=_("customer")
    )
    amount = DocumentMoneyField(_("amount"))
    gateway = models.CharField(_("gateway"), max_length=20)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CREATED)
    policy = models.ForeignKey(
        WalletPolicy, models.PROTECT, related_name="+", verbose_name=_("policy version")
    )
    promised_bonus = DocumentMoneyField(_("promised bonus"), null=True, blank=True)
    promised_bonus_days = models.IntegerField(_("bonus lives (days)"), null=True, blank=True)
    promised_terms = models.CharField(_("terms"), max_length=300, blank=True)
    request_key = models.CharField(max_length=100, editable=False)
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("pay before"))
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    entry = models.OneToOneField(
        JournalEntry,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="topup",
        verbose_name=_("entry"),
    )

    objects = TopUpQuerySet.as_manager()

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        permissions = [("requery_topup", "Can ask the gateway again")]
        constraints = [
            models.UniqueConstraint(
                "customer", "request_key", name="wallet_topup_once_per_request"
            ),
            models.CheckConstraint(name="wallet_topup_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="wallet_topup_bonus_not_negative",
                condition=Q(promised_bonus=None) | Q(promised_bonus__gte=0),
            ),
            # What settling could not grant must not be promised: the money would never arrive.
            models.CheckConstraint(
                name="wallet_topup_bonus_in_its_currency",
                condition=Q(promised_bonus=None)
                | Q(
                    promised_bonus_currency__isnull=False,
                    promised_bonus_currency=F("amount_currency"),
                ),
            ),
            models.CheckConstraint(
                name="wallet_topup_bonus_lives_for_days",
                condition=Q(promised_bonus_days=None)
                | Q(promised_bonus_days__gte=1, promised_bonus_days__lte=LONGEST_BONUS_DAYS),
            ),
            models.CheckConstraint(
                name="wallet_topup_paid_iff_entry",
                condition=Q(state="PAID", entry__isnull=False, paid_at__isnull=False)
                | (~Q(state="PAID") & Q(entry=None, paid_at=None)),
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], name="wallet_topup_by_customer"),
            models.Index(
                "expires_at",
                name="wallet_topup_open_by_expiry",
                condition=Q(state__in=["CREATED", "PENDING"]),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_open(self) -> bool:
        return self.state in (self.State.CREATED, self.State.PENDING)
