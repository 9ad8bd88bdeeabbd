from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Consent, User
from crm_billing.money import from_minor
from packages.models.changes import SubscriptionChange
from packages.models.prices import PriceVersion
from packages.models.subscriptions import MOST_SEATS, Subscription
from wallet.models import TopUp


class WaitingChangeQuerySet(models.QuerySet["WaitingChange"]):
    def open(self) -> Self:
        """
        Return what is neither made nor closed.
        """
        return self.filter(change=None, closed_at=None)


class WaitingChange(models.Model):
    """
    A change agreed to while the wallet could not pay it. It is made by itself when its top-up is
    paid, for at most `due_minor`; else it is closed, and says why.
    """

    class Reason(models.TextChoices):
        EXPIRED = "EXPIRED", _("The money came too late.")
        STALE = "STALE", _("The subscription or its price has changed since.")
        NOT_ALLOWED = "NOT_ALLOWED", _("Who agreed to it may not spend for you any more.")
        REPLACED = "REPLACED", _("Another change was agreed to.")
        REVOKED = "REVOKED", _("It was taken back.")

    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        related_name="waiting_changes",
        verbose_name=_("subscription"),
    )
    from_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price before")
    )
    from_seats = models.IntegerField(_("seats before"))
    to_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price after")
    )
    to_seats = models.IntegerField(_("seats after"))
    due_minor = models.BigIntegerField(_("agreed amount"))
    consent = models.ForeignKey(
        Consent, models.PROTECT, related_name="+", verbose_name=_("consent")
    )
    topup = models.ForeignKey(TopUp, models.PROTECT, related_name="+", verbose_name=_("top-up"))
    agreed_at = models.DateTimeField(_("agreed"))
    agreed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    expires_at = models.DateTimeField(_("valid until"))
    change = models.OneToOneField(
        SubscriptionChange,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="waited",
        verbose_name=_("change"),
    )
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_because = models.CharField(_("because"), max_length=12, choices=Reason, blank=True)

    objects = WaitingChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("change waiting for money")
        verbose_name_plural = _("changes waiting for money")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "subscription",
                name="packages_waiting_one_per_subscription",
                condition=Q(change=None, closed_at=None),
            ),
            models.CheckConstraint(
                name="packages_waiting_made_or_closed",
                condition=Q(change=None) | Q(closed_at=None),
            ),
            models.CheckConstraint(
                name="packages_waiting_closed_for_a_reason",
                condition=Q(closed_at=None, closed_because="")
                | Q(
                    closed_at__isnull=False,
                    closed_because__in=[
                        "EXPIRED",
                        "STALE",
                        "NOT_ALLOWED",
                        "REPLACED",
                        "REVOKED",
                    ],
                ),
            ),
            models.CheckConstraint(
                name="packages_waiting_costs_something", condition=Q(due_minor__gt=0)
            ),
            models.CheckConstraint(
                name="packages_waiting_has_seats",
                condition=Q(to_seats__gte=1, to_seats__lte=MOST_SEATS),
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="packages_waiting_open",
                condition=Q(change=None, closed_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.to_version_id} × {self.to_seats}"

    @property
    def due(self) -> Money:
        return from_minor(self.due_minor, self.to_version.currency)

    def is_open(self, at: datetime) -> bool:
        return self.change_id is None and self.closed_at is None and self.expires_at > at
