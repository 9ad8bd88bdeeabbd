import pghistory
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from crm_billing.plain_text import PlainText
from packages.terms import spoken

CODE = r"^[a-z0-9][a-z0-9-]{0,39}$"


@pghistory.track(pghistory.DeleteEvent())  # a draft that was thrown away, and by whom
class Package(PlainText):
    """
    Something customers can buy: a plan, an add-on to one, or a top-up with a bonus.

    What it costs, its PriceVersions say. Names are in Chinese and in English.
    """

    class Kind(models.TextChoices):
        PLAN = "PLAN", _("Plan")
        ADD_ON = "ADD_ON", _("Add-on")
        TOP_UP = "TOP_UP", _("Top-up package")

    class State(models.TextChoices):
        DRAFT = "DRAFT", _("Draft")
        PUBLISHED = "PUBLISHED", _("Published")
        RETIRED = "RETIRED", _("Retired")

    code = models.CharField(
        _("code"), max_length=40, unique=True, validators=[RegexValidator(CODE)]
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    summary = models.CharField(_("summary"), max_length=300, blank=True)
    summary_en = models.CharField(_("English summary"), max_length=300, blank=True)
    position = models.IntegerField(_("place in the list"), default=0)
    created_at = models.DateTimeField(_("made"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)
    retired_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("retired by")
    )

    class Meta:
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        permissions = [("publish_package", "Can publish, reprice and retire packages")]
        constraints = [
            models.CheckConstraint(
                name="packages_package_code_is_plain", condition=Q(code__regex=CODE)
            ),
            models.CheckConstraint(
                name="packages_package_kind_is_known",
                condition=Q(kind__in=["PLAN", "ADD_ON", "TOP_UP"]),
            ),
            models.CheckConstraint(
                name="packages_package_has_two_names",
                condition=~Q(name="") & ~Q(name_en=""),
            ),
            models.CheckConstraint(
                name="packages_package_state_has_its_stamps",
                condition=Q(state="DRAFT", published_at=None, retired_at=None)
                | Q(state="PUBLISHED", published_at__isnull=False, retired_at=None)
                | Q(state="RETIRED", published_at__isnull=False, retired_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.called}"

    @property
    def called(self) -> str:
        return spoken(self.name, self.name_en)

    @property
    def summed_up(self) -> str:
        return spoken(self.summary, self.summary_en)
