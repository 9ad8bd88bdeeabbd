from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from wallet.models.payments import GatewayCallback, GatewayPayment, PaymentAttempt


class Case(models.Model):
    """
    A money fact people must look at: it did not fit what was ordered, so nothing was credited; or
    the books do not prove; or a charge may be wrong.
    """

    class Kind(models.TextChoices):
        AMOUNT_MISMATCH = "AMOUNT_MISMATCH", _("Other amount than ordered")
        CURRENCY_MISMATCH = "CURRENCY_MISMATCH", _("Other currency than ordered")
        GATEWAY_MISMATCH = "GATEWAY_MISMATCH", _("Other gateway than ordered")
        MERCHANT_MISMATCH = "MERCHANT_MISMATCH", _("Paid to another merchant")
        UNKNOWN_NUMBER = "UNKNOWN_NUMBER", _("No such top-up")
        SURPLUS = "SURPLUS", _("Paid more than once")
        CONTRADICTION = "CONTRADICTION", _("Gateway contradicts itself")
        UNRESOLVED = "UNRESOLVED", _("Gateway gives no answer")
        UNPROCESSED = "UNPROCESSED", _("Message could not be processed")
        BOOKS = "BOOKS", _("The books do not prove")
        CHARGE_DISPUTED = "CHARGE_DISPUTED", _("Charge disputed by the customer")
        CHARGE_SUSPECT = "CHARGE_SUSPECT", _("Charge that looks wrong")

    class State(models.TextChoices):
        OPEN = "OPEN", _("Open")
        RESOLVED = "RESOLVED", _("Resolved")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    key = models.CharField(max_length=150, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cases",
        verbose_name=_("customer"),
    )
    attempt = models.ForeignKey(
        PaymentAttempt, models.PROTECT, null=True, blank=True, related_name="cases"
    )
    payment = models.ForeignKey(
        GatewayPayment, models.PROTECT, null=True, blank=True, related_name="cases"
    )
    callback = models.ForeignKey(
        GatewayCallback, models.PROTECT, null=True, blank=True, related_name="cases"
    )
    facts = models.JSONField(_("facts"), default=dict)
    opened_at = models.DateTimeField(_("opened"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("resolved by")
    )
    resolution = models.CharField(_("resolution"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        permissions = [("resolve_case", "Can resolve a case")]
        constraints = [
            models.CheckConstraint(
                name="wallet_case_resolved_by_someone_with_a_reason",
                condition=Q(state="OPEN", resolved_at=None, resolved_by=None)
                | (
                    Q(state="RESOLVED", resolved_at__isnull=False, resolved_by__isnull=False)
                    & ~Q(resolution="")
                ),
            ),
        ]
        indexes = [models.Index("opened_at", name="wallet_case_open", condition=Q(state="OPEN"))]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN
