from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from packages.models.charges import Charge
from packages.models.limits import Overage
from packages.models.prices import PriceVersion
from packages.models.subscriptions import Subscription
from packages.models.usage import LATEST


class UsageBillQuerySet(models.QuerySet["UsageBill"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def unpaid(self) -> Self:
        return self.filter(settled_at=None)

    def due(self, at: datetime) -> Self:
        """
        Return what is to be taken from wallets now.
        """
        return self.unpaid().filter(next_try_at__lte=at)


class UsageBill(models.Model):
    """
    What the use of one term comes to, reckoned once, when no more use can be told for it.

    lines: as `packages.charges.frozen` writes them. rated_minor: what the use would cost.
    amount_minor: what is taken, no more than the customer allowed: the sum of the shares.
    settled_at: when it was taken, or found to be nothing. source: docs/adr/0015-use.md
    """

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="usage_bills", verbose_name=_("customer")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="usage_bills", verbose_name=_("subscription")
    )
    period_number = models.IntegerField(_("period"))
    price_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price")
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    currency = models.CharField(_("currency"), max_length=3)
    rated_minor = models.BigIntegerField(_("use at its price"))
    amount_minor = models.BigIntegerField(_("amount"))
    lines = models.JSONField(_("lines"))
    made_at = models.DateTimeField(_("made"))
    next_try_at = models.DateTimeField(_("next looked at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    charge = models.OneToOneField(
        Charge,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="bill",
        verbose_name=_("charge"),
    )

    objects = UsageBillQuerySet.as_manager()

    class Meta:
        verbose_name = _("bill for use")
        verbose_name_plural = _("bills for use")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "subscription", "period_number", name="packages_bill_once_per_period"
            ),
            models.CheckConstraint(
                name="packages_bill_takes_no_more_than_the_price",
                condition=Q(amount_minor__gte=0, rated_minor__gte=F("amount_minor")),
            ),
            models.CheckConstraint(
                name="packages_bill_waits_for_late_use",
                condition=Q(made_at__gte=F("ends_at") + LATEST),
            ),
            models.CheckConstraint(
                name="packages_bill_is_settled_by_its_charge",
                condition=Q(settled_at=None, charge=None, amount_minor__gt=0)
                & Q(next_try_at__isnull=False)
                | Q(settled_at__isnull=False, next_try_at=None, charge=None, amount_minor=0)
                | Q(settled_at__isnull=False, next_try_at=None, charge__isnull=False)
                & Q(amount_minor__gt=0),
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], name="packages_bill_by_customer"),
            models.Index(
                "next_try_at", name="packages_bill_due", condition=Q(next_try_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}/{self.period_number}"

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.currency)

    @property
    def rated(self) -> Money:
        return from_minor(self.rated_minor, self.currency)


class UsageShare(models.Model):
    """
    What the use of one feature costs in one calendar month of a billed term. Append-only.

    One feature's use at a moment is billed once, whatever number of packages count it: spans of a
    customer and code never overlap. overage: by which it was allowed, where something is taken.
    """

    bill = models.ForeignKey(
        UsageBill, models.PROTECT, related_name="shares", verbose_name=_("bill")
    )
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    code = models.CharField(_("feature"), max_length=40)
    month = models.DateField(_("month"))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    rated_minor = models.BigIntegerField(_("use at its price"))
    amount_minor = models.BigIntegerField(_("amount"))
    overage = models.ForeignKey(
        Overage, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("rule")
    )

    class Meta:
        verbose_name = _("share of a bill for use")
        verbose_name_plural = _("shares of bills for use")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_share_takes_no_more_than_the_price",
                condition=Q(amount_minor__gte=0, rated_minor__gte=F("amount_minor"))
                & Q(ends_at__gt=F("starts_at"), month__day=1),
            ),
            models.CheckConstraint(
                name="packages_share_was_allowed",
                condition=Q(amount_minor=0) | Q(overage__isnull=False),
            ),
        ]
        indexes = [models.Index("customer", "month", name="packages_share_by_month")]

    def __str__(self) -> str:
        return f"{self.code} {self.month:%Y-%m}"
