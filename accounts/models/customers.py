from functools import cache
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.history import tracked
from crm_billing.plain_text import PlainText

if TYPE_CHECKING:
    from accounts.models.users import User


@cache
def time_zones() -> frozenset[str]:
    """
    Return the names of all time zones; they are read from files, once.
    """
    return frozenset(available_timezones())


def known_time_zone(value: str) -> None:
    if value not in time_zones():
        raise ValidationError(_("“%(zone)s” is not a time zone."), params={"zone": value})


class CustomerQuerySet(models.QuerySet["Customer"]):
    def visible_to(self, user: "User") -> Self:
        """
        Return the customers this person may see: their own. Staff use the admin.
        """
        return self.filter(members__user=user, members__user__is_active=True)


@tracked(verbose_name=_("customer change"))
class Customer(PlainText):
    """
    Whoever is billed: a company or a person. Users act for customers as Members.

    A frozen customer can read everything and move no money.
    """

    class Kind(models.TextChoices):
        COMPANY = "COMPANY", _("Company")
        PERSON = "PERSON", _("Person")

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        FROZEN = "FROZEN", _("Frozen")
        CLOSED = "CLOSED", _("Closed")

    number = models.CharField(
        _("number"),
        max_length=12,
        unique=True,
        editable=False,
        validators=[RegexValidator(r"^C[0-9]{8}$")],
    )
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.COMPANY)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.ACTIVE)
    locale = models.CharField(
        _("language"),
        max_length=10,
        default="zh-hans",
        choices=[("zh-hans", _("Simplified Chinese")), ("en", _("English"))],
    )
    time_zone = models.CharField(
        _("time zone"), max_length=50, default="Asia/Shanghai", validators=[known_time_zone]
    )
    status_reason = models.CharField(_("reason"), max_length=200, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    currency_fixed_at = models.DateTimeField(
        _("currency fixed"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Since the first money the currency cannot change."),
    )
    contact_name = models.CharField(_("contact"), max_length=100, blank=True)
    contact_email = models.EmailField(_("billing e-mail"), blank=True)
    contact_phone = models.CharField(_("phone"), max_length=30, blank=True)
    address = models.CharField(_("address"), max_length=300, blank=True)
    tax_title = models.CharField(_("invoice title"), max_length=200, blank=True)
    tax_number = models.CharField(_("tax number"), max_length=30, blank=True)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)

    several_lines = ("status_reason",)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        permissions = [("freeze_customer", _("Can freeze and unfreeze customers"))]
        constraints = [
            models.CheckConstraint(
                name="accounts_customer_number_is_c_and_eight_digits",
                condition=Q(number__regex=r"^C[0-9]{8}$"),
            ),
            models.CheckConstraint(
                name="accounts_customer_status_is_known",
                condition=Q(status__in=["ACTIVE", "FROZEN", "CLOSED"]),
            ),
            models.CheckConstraint(
                name="accounts_customer_kind_is_known", condition=Q(kind__in=["COMPANY", "PERSON"])
            ),
            models.CheckConstraint(
                name="accounts_customer_currency_is_iso", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
