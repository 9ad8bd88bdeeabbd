from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ChargeScan(models.Model):
    """
    One look of the sentinel over what was charged since then. Append-only.

    found: charges that looked wrong; opened: of them, how many had no case yet.
    """

    at = models.DateTimeField(_("as of"))
    since = models.DateTimeField(_("charged since"))
    found = models.IntegerField(_("found"))
    opened = models.IntegerField(_("cases opened"))

    class Meta:
        verbose_name = _("scan of charges")
        verbose_name_plural = _("scans of charges")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_scan_looks_back",
                condition=Q(since__lt=F("at"), opened__gte=0, found__gte=F("opened")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
