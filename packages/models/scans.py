from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ChargeScan(models.Model):
    """
    One look of the sentinel over what was charged since then. Append-only.

    looked_at: charges of subscriptions that were looked over. found: charges, of them and of what
    programs took, that looked wrong; opened: of these, how many had no case yet. took_ms: how long
    it took. Scans before they were counted have neither looked_at nor took_ms.
    """

    at = models.DateTimeField(_("as of"))
    since = models.DateTimeField(_("charged since"))
    looked_at = models.IntegerField(_("looked at"), null=True)
    found = models.IntegerField(_("found"))
    opened = models.IntegerField(_("cases opened"))
    took_ms = models.IntegerField(_("took"), null=True)

    class Meta:
        verbose_name = _("scan of charges")
        verbose_name_plural = _("scans of charges")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_scan_looks_back",
                condition=Q(since__lt=F("at"), opened__gte=0, found__gte=F("opened")),
            ),
            models.CheckConstraint(
                name="packages_scan_counts_what_it_looked_at",
                condition=Q(looked_at=None, took_ms=None) | Q(looked_at__gte=0, took_ms__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
