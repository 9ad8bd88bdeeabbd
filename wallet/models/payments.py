from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from crm_billing.money import DocumentMoneyField
from wallet.models.ledger import JournalEntry
from wallet.models.topups import TopUp


class PaymentAttemptQuerySet(models.QuerySet["PaymentAttempt"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(topup__customer__in=Customer.objects.visible_to(user))

    def unresolved(self) -> Self:
        return self.filter(state__in=["SUBMITTED", "PENDING", "UNKNOWN"])

    def failed_since(self, moment: datetime) -> Self:
        return self.filter(state="FAILED", finished_at__gt=moment)


class PaymentAttempt(models.Model):
    """
    One try at one gateway, under one number that never changes.

    UNKNOWN means the gateway may or may not have taken it: no second attempt until a query tells.
    """

    class State(models.TextChoices):
        CREATED = "CREATED", _("Created")
        SUBMITTED = "SUBMITTED", _("Sent to the gateway")
        PENDING = "PENDING", _("Waiting for payment")
        SUCCEEDED = "SUCCEEDED", _("Succeeded")
        FAILED = "FAILED", _("Failed")
        CLOSED = "CLOSED", _("Closed")
        UNKNOWN = "UNKNOWN", _("Unknown")

    topup = models.ForeignKey(
        TopUp, models.PROTECT, related_name="attempts", verbose_name=_("top-up")
    )
    number = models.CharField(_("number"), max_length=32, unique=True, editable=False)
    gateway = models.CharField(_("gateway"), max_length=20)
    amount = DocumentMoneyField(_("amount"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.CREATED)
    client_action = models.JSONField(null=True, blank=True, editable=False)
    external_id = models.CharField(_("gateway's number"), max_length=64, blank=True)
    failure = models.CharField(_("failure"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"))
    submitted_at = models.DateTimeField(_("sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    next_query_at = models.DateTimeField(_("next query"), null=True, blank=True)
    queries = models.IntegerField(_("queries"), default=0)

    objects = PaymentAttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment attempt")
        verbose_name_plural = _("payment attempts")
        constraints = [
            models.CheckConstraint(
                name="wallet_attempt_amount_positive", condition=Q(amount__gt=0)
            ),
            models.UniqueConstraint(
                "topup",
                name="wallet_attempt_one_open_per_topup",
                condition=Q(state__in=["CREATED", "SUBMITTED", "PENDING", "UNKNOWN"]),
            ),
        ]
        indexes = [
            models.Index(
                "next_query_at",
                name="wallet_attempt_to_query",
                condition=Q(state__in=["SUBMITTED", "PENDING", "UNKNOWN"]),
            )
        ]

    def __str__(self) -> str:
        return self.number


class GatewayCallback(models.Model):
    """
    A verified notification as it came: raw bytes and headers, kept before anything is done.
    """

    class Outcome(models.TextChoices):
        RECEIVED = "RECEIVED", _("Received")
        CREDITED = "CREDITED", _("Credited")
        REPEATED = "REPEATED", _("Repeated")
        NOTED = "NOTED", _("Noted")
        CASE = "CASE", _("Case opened")

    gateway = models.CharField(_("gateway"), max_length=20)
    attempt = models.ForeignKey(
        PaymentAttempt,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="callbacks",
        verbose_name=_("attempt"),
    )
    body = models.BinaryField(editable=False)
    headers = models.JSONField(_("headers"))
    body_sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField(_("received"))
    times = models.IntegerField(_("times received"), default=1)
    outcome = models.CharField(
        _("outcome"), max_length=10, choices=Outcome, default=Outcome.RECEIVED
    )
    attempts = models.IntegerField(_("processing attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("gateway callback")
        verbose_name_plural = _("gateway callbacks")
        constraints = [
            models.UniqueConstraint("gateway", "body_sha256", name="wallet_callback_once_per_body"),
        ]
        indexes = [
            models.Index(
                "received_at", name="wallet_callback_open", condition=Q(outcome="RECEIVED")
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.gateway}"


class GatewayPayment(models.Model):
    """
    A money fact: this gateway says it took this amount under this number. Credited at most once.
    """

    gateway = models.CharField(_("gateway"), max_length=20)
    external_id = models.CharField(_("gateway's number"), max_length=64)
    attempt = models.ForeignKey(
        PaymentAttempt,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("attempt"),
    )
    topup = models.ForeignKey(
        TopUp,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        verbose_name=_("top-up"),
    )
    number = models.CharField(_("our number"), max_length=64, blank=True)
    merchant_id = models.CharField(_("merchant"), max_length=64)
    amount = DocumentMoneyField(_("amount"))
    paid_at = models.DateTimeField(_("paid"))
    received_at = models.DateTimeField(_("learned"))
    learned_by = models.CharField(_("learned by"), max_length=10)
    entry = models.OneToOneField(
        JournalEntry,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="payment",
        verbose_name=_("entry"),
    )

    class Meta:
        verbose_name = _("gateway payment")
        verbose_name_plural = _("gateway payments")
        constraints = [
            models.UniqueConstraint(
                "gateway", "external_id", name="wallet_payment_once_per_gateway_number"
            ),
            models.UniqueConstraint(
                "topup",
                name="wallet_payment_one_credited_per_topup",
                condition=Q(entry__isnull=False),
            ),
            models.CheckConstraint(
                name="wallet_payment_amount_positive", condition=Q(amount__gt=0)
            ),
            models.CheckConstraint(
                name="wallet_payment_credited_for_a_topup",
                condition=Q(entry=None) | Q(topup__isnull=False, attempt__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.external_id}"
