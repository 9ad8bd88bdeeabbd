from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from djmoney.money import Money

from accounts.models import Consent, Customer, User
from crm_billing.money import from_minor
from packages.models.notices import Notice
from packages.models.prices import PriceVersion
from packages.models.subscriptions import Subscription
from wallet.models import JournalEntry


class ChargeQuerySet(models.QuerySet["Charge"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class Charge(models.Model):
    """
    One deduction for a subscription and all that explains it, frozen when it is posted.

    lines: as `packages.charges.frozen` writes them; they recompute the amount. Append-only.
    """

    class Kind(models.TextChoices):
        FIRST = "FIRST", _("First period")
        RENEWAL = "RENEWAL", _("Renewal")
        TERM = "TERM", _("New term")
        CHANGE = "CHANGE", pgettext_lazy("kind of a charge", "Change")
        USAGE = "USAGE", _("Use")
        PACK = "PACK", _("Extra pack")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="charges", verbose_name=_("customer")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="charges", verbose_name=_("subscription")
    )
    period_number = models.IntegerField(_("period"))
    price_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price")
    )
    entry = models.OneToOneField(
        JournalEntry, models.PROTECT, related_name="charge", verbose_name=_("entry")
    )
    consent = models.ForeignKey(
        Consent, models.PROTECT, related_name="+", verbose_name=_("consent")
    )
    notice = models.OneToOneField(
        Notice,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="charge",
        verbose_name=_("notice"),
    )
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"))
    lines = models.JSONField(_("lines"))
    charged_at = models.DateTimeField(_("charged"))
    charged_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    objects = ChargeQuerySet.as_manager()

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "subscription",
                "period_number",
                name="packages_charge_once_per_period",
                condition=Q(kind__in=["FIRST", "RENEWAL", "TERM"]),
            ),
            models.UniqueConstraint(
                "subscription",
                "period_number",
                name="packages_charge_use_once_per_period",
                condition=Q(kind="USAGE"),
            ),
            models.CheckConstraint(
                name="packages_charge_amount_positive", condition=Q(amount_minor__gt=0)
            ),
            models.CheckConstraint(
                name="packages_charge_of_a_renewal_was_announced",
                condition=~Q(kind="RENEWAL") | Q(notice__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_charge_kind_is_known",
                condition=Q(kind__in=["FIRST", "RENEWAL", "TERM", "CHANGE", "USAGE", "PACK"]),
            ),
        ]
        indexes = [models.Index(fields=["customer", "-id"], name="packages_charge_by_customer")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()}"

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.currency)
