from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import Customer
from accounts.models.history import tracked
from accounts.models.users import User
from crm_billing.plain_text import PlainText


class Scope(models.TextChoices):
    WALLET_READ = "wallet:read", _("See balance and activity")
    TOPUPS_READ = "topups:read", _("See top-ups")
    TOPUPS_WRITE = "topups:write", _("Start top-ups")
    CHARGES_WRITE = "charges:write", _("Spend from the balance")
    HOLDS_WRITE = "holds:write", _("Hold, capture and release money")
    USAGE_READ = "usage:read", _("See usage")
    USAGE_WRITE = "usage:write", _("Tell what was used")


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def usable(self, at: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=at)


@tracked(verbose_name=_("API key change"), exclude=["key_sha256", "last_used_at"])
class ApiKey(PlainText):
    """
    A program's right to act for a customer. The token is shown once; we keep its hash.
    """

    Scope = Scope

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="api_keys")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=8, editable=False)
    key_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope), verbose_name=_("scopes"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(
                name="accounts_api_key_scopes_are_known",
                condition=Q(scopes__contained_by=Scope.values),
            ),
            models.CheckConstraint(
                name="accounts_api_key_has_a_scope", condition=Q(scopes__len__gt=0)
            ),
            models.CheckConstraint(
                name="accounts_api_key_hash_is_sha256",
                condition=Q(key_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(
                name="accounts_api_key_expires_after_it_was_created",
                condition=Q(expires_at__gt=F("created_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (crm_{self.prefix}_…)"

    @property
    def scope_labels(self) -> list[str]:
        return [str(Scope(scope).label) for scope in self.scopes]
