from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from crm_billing.money import DocumentMoneyField
from wallet.models.ledger import JournalEntry


class Adjustment(models.Model):
    """
    A manual correction of a customer's wallet: one person proposes, another approves and posts.

    `payload_sha256` freezes what was proposed; approval of anything else is refused.
    `proposed_on` is our business day, for which a maker's limit counts.
    """

    class Direction(models.TextChoices):
        CREDIT = "CREDIT", _("Credit the customer")
        DEBIT = "DEBIT", _("Debit the customer")

    class Kind(models.TextChoices):
        PRINCIPAL = "PRINCIPAL", _("Principal")
        BONUS = "BONUS", _("Bonus")

    class State(models.TextChoices):
        PROPOSED = "PROPOSED", _("Waiting for approval")
        POSTED = "POSTED", _("Posted")
        REJECTED = "REJECTED", _("Rejected")

    number = models.CharField(_("number"), max_length=32, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="adjustments", verbose_name=_("customer")
    )
    direction = models.CharField(_("direction"), max_length=10, choices=Direction)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    amount = DocumentMoneyField(_("amount"))
    bonus_expires_at = models.DateTimeField(_("bonus expires"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=500)
    attachment = models.BinaryField(null=True, blank=True)
    attachment_name = models.CharField(_("attachment"), max_length=120, blank=True)
    attachment_type = models.CharField(max_length=60, blank=True)
    payload_sha256 = models.CharField(max_length=64, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PROPOSED)
    maker = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("proposed by"))
    proposed_at = models.DateTimeField(_("proposed"))
    proposed_on = models.DateField(_("proposed on"))
    checker = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decision_note = models.CharField(_("note"), max_length=500, blank=True)
    entry = models.OneToOneField(
        JournalEntry,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="adjustment",
        verbose_name=_("entry"),
    )

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        permissions = [
            ("propose_adjustment", "Can propose an adjustment"),
            ("approve_adjustment", "Can approve an adjustment"),
        ]
        indexes = [
            models.Index(fields=["maker", "proposed_on"], name="wallet_adjustment_by_maker_day"),
        ]
        constraints = [
            models.CheckConstraint(
                name="wallet_adjustment_amount_positive", condition=Q(amount__gt=0)
            ),
            models.CheckConstraint(
                name="wallet_adjustment_reason_is_given", condition=~Q(reason="")
            ),
            models.CheckConstraint(
                name="wallet_adjustment_checker_is_not_maker",
                condition=Q(checker=None) | ~Q(checker=F("maker")),
            ),
            models.CheckConstraint(
                name="wallet_adjustment_decided_iff_checker",
                condition=Q(state="PROPOSED", checker=None, decided_at=None)
                | (~Q(state="PROPOSED") & Q(checker__isnull=False, decided_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="wallet_adjustment_posted_iff_entry",
                condition=Q(state="POSTED", entry__isnull=False)
                | (~Q(state="POSTED") & Q(entry=None)),
            ),
        ]

    def __str__(self) -> str:
        return self.number
