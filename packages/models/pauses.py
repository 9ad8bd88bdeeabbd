from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Consent, User
from packages.models.subscriptions import Subscription


class PauseQuerySet(models.QuerySet["Pause"]):
    def open(self) -> Self:
        """
        Return what is scheduled or running.
        """
        return self.filter(revoked_at=None, ended_at=None)

    def scheduled(self) -> Self:
        return self.open().filter(begun_at=None)

    def running(self) -> Self:
        return self.open().filter(begun_at__isnull=False)

    def stop(self, at: datetime) -> None:
        """
        End what runs and take back what is scheduled.
        """
        self.scheduled().update(revoked_at=at)
        self.running().update(ended_at=at)


class Pause(models.Model):
    """
    A time in which a subscription neither works nor costs: from the end of the paid term, when the
    sweep begins it, until `until`, a local midnight, when the next term begins by itself.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="pauses", verbose_name=_("subscription")
    )
    until = models.DateTimeField(_("until"))
    consent = models.ForeignKey(
        Consent, models.PROTECT, related_name="+", verbose_name=_("consent")
    )
    asked_at = models.DateTimeField(_("asked for"))
    asked_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    begun_at = models.DateTimeField(_("begun"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("taken back"), null=True, blank=True)

    objects = PauseQuerySet.as_manager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        default_permissions = ("view",)
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                "subscription",
                name="packages_pause_one_at_a_time",
                condition=Q(revoked_at=None, ended_at=None),
            ),
            models.CheckConstraint(
                name="packages_pause_lies_ahead", condition=Q(until__gt=F("asked_at"))
            ),
            models.CheckConstraint(
                name="packages_pause_begun_or_revoked",
                condition=Q(begun_at=None) | Q(revoked_at=None),
            ),
            models.CheckConstraint(
                name="packages_pause_ends_after_it_began",
                condition=Q(ended_at=None) | Q(begun_at__isnull=False, ended_at__gte=F("begun_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} → {self.until:%Y-%m-%d}"
