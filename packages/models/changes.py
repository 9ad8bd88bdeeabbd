from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Consent, User
from packages.models.prices import PriceVersion
from packages.models.subscriptions import MOST_SEATS, Subscription


class SubscriptionChangeQuerySet(models.QuerySet["SubscriptionChange"]):
    def scheduled(self) -> Self:
        """
        Return what is to happen when the term ends.
        """
        return self.filter(applied_at=None, revoked_at=None)


class SubscriptionChange(models.Model):
    """
    Another price or another number of seats, at once or when the term ends. Only what changes is
    named: a plan and its seats may be changed one beside the other. announcement: where the house
    announced it.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="changes", verbose_name=_("subscription")
    )
    from_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price before")
    )
    from_seats = models.IntegerField(_("seats before"))
    to_version = models.ForeignKey(
        PriceVersion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("price after"),
    )
    to_seats = models.IntegerField(_("seats after"), null=True, blank=True)
    consent = models.ForeignKey(
        Consent, models.PROTECT, related_name="+", verbose_name=_("consent")
    )
    announcement = models.ForeignKey(
        "packages.PriceAnnouncement",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="changes",
        verbose_name=_("announcement of a price"),
    )
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    applied_at = models.DateTimeField(_("in force since"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("taken back"), null=True, blank=True)

    objects = SubscriptionChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("change of a subscription")
        verbose_name_plural = _("changes of subscriptions")
        default_permissions = ("view",)
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                "subscription",
                name="packages_change_one_price_scheduled",
                condition=Q(applied_at=None, revoked_at=None, to_version__isnull=False),
            ),
            models.UniqueConstraint(
                "subscription",
                name="packages_change_one_count_scheduled",
                condition=Q(applied_at=None, revoked_at=None, to_seats__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_change_changes_something",
                condition=Q(to_version__isnull=False) | Q(to_seats__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_change_has_seats",
                condition=Q(to_seats=None) | Q(to_seats__gte=1, to_seats__lte=MOST_SEATS),
            ),
            models.CheckConstraint(
                name="packages_change_announced_is_of_price",
                condition=Q(announcement=None) | Q(to_version__isnull=False, to_seats=None),
            ),
            models.CheckConstraint(
                name="packages_change_applied_or_revoked",
                condition=Q(applied_at=None) | Q(revoked_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.to_version_id or ''} {self.to_seats or ''}".strip()
