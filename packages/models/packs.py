from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from packages.models.charges import Charge
from packages.models.subscriptions import Subscription


class ExtraPackQuerySet(models.QuerySet["ExtraPack"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class ExtraPack(models.Model):
    """
    More of a feature, bought on top of what a term includes and gone with it. Append-only.

    nth: of its feature in its term, from 1: bought twice by one press, it is one.
    """

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="extra_packs", verbose_name=_("customer")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="extra_packs", verbose_name=_("subscription")
    )
    period_number = models.IntegerField(_("period"))
    code = models.CharField(_("feature"), max_length=40)
    nth = models.IntegerField(_("number"))
    units = models.DecimalField(_("units"), max_digits=20, decimal_places=6)
    charge = models.OneToOneField(
        Charge, models.PROTECT, related_name="pack", verbose_name=_("charge")
    )
    bought_at = models.DateTimeField(_("bought"))

    objects = ExtraPackQuerySet.as_manager()

    class Meta:
        verbose_name = _("extra pack")
        verbose_name_plural = _("extra packs")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "subscription", "period_number", "code", "nth", name="packages_pack_bought_once"
            ),
            models.CheckConstraint(
                name="packages_pack_has_units", condition=Q(units__gt=0, nth__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} +{self.units.normalize():f}"
