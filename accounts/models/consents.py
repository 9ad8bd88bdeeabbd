from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import Customer
from accounts.models.users import User


class ConsentQuerySet(models.QuerySet["Consent"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class Consent(models.Model):
    """
    What somebody agreed to for a customer, word for word as it was shown. Append-only.

    source: D§6.2
    """

    class Purpose(models.TextChoices):
        SUBSCRIBE = "SUBSCRIBE", _("Subscription")
        AUTO_RENEW = "AUTO_RENEW", _("Automatic renewal")
        CHANGE = "CHANGE", _("Change of a subscription")
        USE = "USE", _("Use beyond what is included")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="consents", verbose_name=_("customer")
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    text = models.TextField(_("text"))
    text_sha256 = models.CharField(_("hash of the text"), max_length=64)
    version = models.CharField(_("version of the text"), max_length=40)
    locale = models.CharField(_("language"), max_length=10)
    given_at = models.DateTimeField(_("given"))
    given_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    address = models.GenericIPAddressField(_("network address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    control = models.CharField(_("form or call"), max_length=60, blank=True)

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        default_permissions = ("view",)
        indexes = [models.Index(fields=["customer", "-id"], name="accounts_consent_by_customer")]
        constraints = [
            models.CheckConstraint(
                name="accounts_consent_purpose_is_known",
                condition=Q(purpose__in=["SUBSCRIBE", "AUTO_RENEW", "CHANGE", "USE"]),
            ),
            models.CheckConstraint(
                name="accounts_consent_has_a_text", condition=~Q(text="") & ~Q(version="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.given_at:%Y-%m-%d}"
