from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from packages.dunning import Rules, Step

LEAD = timedelta(hours=1)  # no sweep at work when rules are published still runs when they begin
LONGEST_KEPT_DAYS = 3_650


class DunningPolicyQuerySet(models.QuerySet["DunningPolicy"]):
    def current(self, at: datetime) -> "DunningPolicy":
        """
        Return the version by which what first fails at a moment is dunned.
        """
        return self.filter(valid_from__lte=at).latest("valid_from")


class DunningPolicy(models.Model):
    """
    One immutable version of what happens while a renewal is not paid. New rules are a new version.

    The one in force when a renewal first fails holds for all that comes of it, so versions begin
    LEAD after they were made; only the first, the house's own, has always been there.
    steps: [{"hours": after the first failure, "state": …, "tells": whether there is a message}, …]
    source: docs/adr/0019-dunning-policies.md
    """

    valid_from = models.DateTimeField(_("valid from"))
    steps = models.JSONField(_("steps"))
    data_kept_days = models.IntegerField(_("days data are kept after the end"))
    created_at = models.DateTimeField(_("made"), db_default=Now())
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )

    objects = DunningPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("dunning policy")
        verbose_name_plural = _("dunning policies")
        default_permissions = ("add", "view")
        constraints = [
            models.UniqueConstraint(
                "valid_from", name="packages_dunningpolicy_one_version_at_a_time"
            ),
            models.UniqueConstraint(
                "created_by",
                name="packages_dunningpolicy_only_the_first_is_the_houses",
                condition=Q(created_by=None),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="packages_dunningpolicy_begins_later",
                condition=Q(created_by=None) | Q(valid_from__gte=F("created_at") + LEAD),
            ),
            models.CheckConstraint(
                name="packages_dunningpolicy_keeps_data",
                condition=Q(data_kept_days__gte=1, data_kept_days__lte=LONGEST_KEPT_DAYS),
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.pk}"

    @property
    def rules(self) -> Rules:
        return Rules(
            steps=tuple(
                Step(timedelta(hours=one["hours"]), one["state"], one["tells"])
                for one in self.steps
            ),
            data_kept=timedelta(days=self.data_kept_days),
        )
