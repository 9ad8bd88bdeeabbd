from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Consent, Customer, User
from crm_billing.money import from_minor, plain
from packages.models.subscriptions import Subscription


class OverageQuerySet(models.QuerySet["Overage"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class Overage(models.Model):
    """
    What a customer allows to be charged for use beyond what is included; the last one holds.

    most_minor: of CAP_AMOUNT, in a term. spent_minor: what the use of term `period_number` had
    cost when this was decided, which stays owed. Append-only.
    source: docs/adr/0015-use.md
    """

    class Policy(models.TextChoices):
        BLOCK = "BLOCK", _("Stop")
        CAP_AMOUNT = "CAP_AMOUNT", _("Up to an amount")
        ALLOW = "ALLOW", _("Go on")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="overages", verbose_name=_("customer")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="overages", verbose_name=_("subscription")
    )
    code = models.CharField(_("feature"), max_length=40)
    policy = models.CharField(_("beyond what is included"), max_length=10, choices=Policy)
    most_minor = models.BigIntegerField(_("at most per term"), null=True, blank=True)
    period_number = models.IntegerField(_("decided in period"))
    spent_minor = models.BigIntegerField(_("owed by then"))
    consent = models.ForeignKey(
        Consent, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("consent")
    )
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    objects = OverageQuerySet.as_manager()

    class Meta:
        verbose_name = _("rule for use beyond what is included")
        verbose_name_plural = _("rules for use beyond what is included")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_overage_policy_is_known",
                condition=Q(policy__in=["BLOCK", "CAP_AMOUNT", "ALLOW"]),
            ),
            models.CheckConstraint(
                name="packages_overage_amount_iff_capped",
                condition=Q(policy="CAP_AMOUNT", most_minor__isnull=False, most_minor__gt=0)
                | (~Q(policy="CAP_AMOUNT") & Q(most_minor=None)),
            ),
            models.CheckConstraint(
                name="packages_overage_needs_a_consent",
                condition=Q(policy="BLOCK") | Q(consent__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_overage_owes_nothing_negative",
                condition=Q(spent_minor__gte=0, period_number__gte=1),
            ),
        ]
        indexes = [
            models.Index(fields=["subscription", "code", "-id"], name="packages_overage_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.get_policy_display()}"

    @property
    def most(self) -> Money | None:
        if self.most_minor is None:
            return None
        return from_minor(self.most_minor, self.subscription.currency)


class SpendingCapQuerySet(models.QuerySet["SpendingCap"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class SpendingCap(models.Model):
    """
    The most a customer lets use cost in a calendar month; the last one holds.

    code: of the feature, empty for all use together. most_minor: None lifts it.
    month: its first day when it is for that month alone, else it is for all that come.
    spent_minor: what use had cost in the running month when this was decided, which stays owed.
    Append-only. source: docs/adr/0015-use.md
    """

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="caps", verbose_name=_("customer")
    )
    code = models.CharField(_("feature"), max_length=40, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    most_minor = models.BigIntegerField(_("at most per month"), null=True, blank=True)
    month = models.DateField(_("only in"), null=True, blank=True)
    made_in = models.DateField(_("decided in"))
    spent_minor = models.BigIntegerField(_("owed by then"))
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    objects = SpendingCapQuerySet.as_manager()

    class Meta:
        verbose_name = _("spending cap")
        verbose_name_plural = _("spending caps")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_cap_is_not_negative",
                condition=(Q(most_minor=None) | Q(most_minor__gte=0)) & Q(spent_minor__gte=0),
            ),
            models.CheckConstraint(
                name="packages_cap_counts_whole_months",
                condition=Q(made_in__day=1)
                & (Q(month=None) | Q(month__day=1, most_minor__isnull=False)),
            ),
        ]
        indexes = [models.Index(fields=["customer", "code", "-id"], name="packages_cap_latest")]

    def __str__(self) -> str:
        most = "–" if self.most is None else f"{plain(self.most)} {self.currency}"
        return f"{self.code or _('All use together')}: {most}"

    @property
    def most(self) -> Money | None:
        return None if self.most_minor is None else from_minor(self.most_minor, self.currency)
