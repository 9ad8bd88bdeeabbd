from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import User
from crm_billing.money import from_minor


class WalletPolicyQuerySet(models.QuerySet["WalletPolicy"]):
    def current(self, currency: str, at: datetime) -> "WalletPolicy":
        """
        Return the version in force for a currency at a moment.

        raises WalletPolicy.DoesNotExist: the currency is not offered.
        """
        version = self.filter(currency=currency, valid_from__lte=at).order_by("-valid_from").first()
        if version is None:
            raise WalletPolicy.DoesNotExist(currency)
        return version


class WalletPolicy(models.Model):
    """
    One immutable version of the rules of a currency's wallets. New rules are a new version.
    """

    class Order(models.TextChoices):
        BONUS_FIRST_EARLIEST_EXPIRY = "BONUS_FIRST_EARLIEST_EXPIRY", _("Bonus first")
        PRINCIPAL_FIRST_FIFO = "PRINCIPAL_FIRST_FIFO", _("Principal first")
        EARLIEST_EXPIRY_FIRST = "EARLIEST_EXPIRY_FIRST", _("Earliest expiry first")

    currency = models.CharField(_("currency"), max_length=3)
    valid_from = models.DateTimeField(_("valid from"))
    consumption_order = models.CharField(
        _("order of consumption"),
        max_length=30,
        choices=Order,
        default=Order.BONUS_FIRST_EARLIEST_EXPIRY,
    )
    min_topup_minor = models.BigIntegerField(_("smallest top-up"))
    max_topup_minor = models.BigIntegerField(_("largest top-up"))
    max_balance_minor = models.BigIntegerField(_("largest balance"))
    max_open_topups = models.IntegerField(_("open top-ups per customer"))
    topup_minutes = models.IntegerField(_("minutes to pay"))
    max_daily_adjustments_minor = models.BigIntegerField(
        _("adjustments one person may propose a day")
    )
    restored_lot_days = models.IntegerField(_("days a restored expired lot lives"), default=30)
    presets_minor = ArrayField(models.BigIntegerField(), verbose_name=_("suggested amounts"))
    created_at = models.DateTimeField(_("made"), db_default=Now())
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )

    objects = WalletPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("wallet policy")
        verbose_name_plural = _("wallet policies")
        constraints = [
            models.UniqueConstraint(
                "currency", "valid_from", name="wallet_policy_one_version_at_a_time"
            ),
            models.CheckConstraint(
                name="wallet_policy_bounds_are_ordered",
                condition=Q(
                    min_topup_minor__gt=0,
                    max_topup_minor__gte=F("min_topup_minor"),
                    max_balance_minor__gte=F("max_topup_minor"),
                    max_open_topups__gt=0,
                    topup_minutes__gt=0,
                    restored_lot_days__gte=0,
                ),
            ),
            models.CheckConstraint(
                name="wallet_policy_daily_adjustments_not_negative",
                condition=Q(max_daily_adjustments_minor__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} v{self.pk}"

    @property
    def min_topup(self) -> Money:
        return from_minor(self.min_topup_minor, self.currency)

    @property
    def max_topup(self) -> Money:
        return from_minor(self.max_topup_minor, self.currency)

    @property
    def max_balance(self) -> Money:
        return from_minor(self.max_balance_minor, self.currency)

    @property
    def max_daily_adjustments(self) -> Money:
        return from_minor(self.max_daily_adjustments_minor, self.currency)

    @property
    def presets(self) -> list[Money]:
        return [from_minor(minor, self.currency) for minor in self.presets_minor]
