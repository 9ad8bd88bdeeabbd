from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Consent, Customer, User
from crm_billing.money import from_minor
from packages.models.coupons import Coupon
from packages.models.prices import PriceVersion
from packages.models.subscriptions import MOST_SEATS, Subscription
from wallet.models import TopUp


class PriceQuoteQuerySet(models.QuerySet["PriceQuote"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def waiting_for_money(self, at: datetime) -> Self:
        """
        Return what was agreed to and goes on by itself as soon as its top-up is paid.
        """
        return self.filter(
            accepted_at=None, consent__isnull=False, topup__isnull=False, expires_at__gt=at
        )


class PriceQuote(models.Model):
    """
    A price as one customer was shown it, honoured until it expires.

    Agreed to before the wallet can pay it (`consent`, `topup`), it is bought when the money is
    there.
    """

    code = models.CharField(_("code"), max_length=32, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="quotes", verbose_name=_("customer")
    )
    price_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price")
    )
    seats = models.IntegerField(_("seats"))
    coupon = models.ForeignKey(
        Coupon, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("coupon")
    )
    has_trial = models.BooleanField(_("trial"))
    currency = models.CharField(_("currency"), max_length=3)
    due_minor = models.BigIntegerField(_("to pay now"))
    each_term_minor = models.BigIntegerField(_("each term"))
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    expires_at = models.DateTimeField(_("valid until"))
    auto_renew = models.BooleanField(_("renews by itself"), default=False)
    consent = models.ForeignKey(
        Consent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("consent"),
    )
    topup = models.ForeignKey(
        TopUp, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("top-up")
    )
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    subscription = models.OneToOneField(
        Subscription,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="quote",
        verbose_name=_("subscription"),
    )

    objects = PriceQuoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_quote_amounts_not_negative",
                condition=Q(due_minor__gte=0, each_term_minor__gte=0),
            ),
            models.CheckConstraint(
                name="packages_quote_has_seats", condition=Q(seats__gte=1, seats__lte=MOST_SEATS)
            ),
            models.CheckConstraint(
                name="packages_quote_accepted_in_time",
                condition=Q(accepted_at=None, subscription=None)
                | Q(
                    accepted_at__isnull=False,
                    subscription__isnull=False,
                    consent__isnull=False,
                    accepted_at__lt=F("expires_at"),
                ),
            ),
            models.CheckConstraint(
                name="packages_quote_tops_up_by_consent_only",
                condition=Q(topup=None) | Q(consent__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer"],
                name="packages_quote_waiting",
                condition=Q(accepted_at=None, topup__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def due(self) -> Money:
        return from_minor(self.due_minor, self.currency)

    @property
    def each_term(self) -> Money:
        return from_minor(self.each_term_minor, self.currency)
