from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from crm_billing.plain_text import PlainText
from packages.discounts import Discount
from packages.models.catalogue import Package
from packages.terms import spoken

CODE = r"^[A-Z0-9][A-Z0-9-]{2,39}$"


class Coupon(PlainText):
    """
    A code that makes what recurs and seats cheaper: by a share (`bps`) or by an amount a term.

    A draft (`published_at` None) changes nothing for anybody; once published, what it gives never
    changes, it can only be ended. Who uses it already keeps it then.

    terms: how many terms it holds for whoever uses it, None for ever.
    packages: what it is for; none: every plan and add-on.
    used: how often it was used; `most_uses` None: as often as they come.
    """

    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    bps = models.IntegerField(_("share (basis points)"), null=True, blank=True)
    amount_minor = models.BigIntegerField(_("amount"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    terms = models.IntegerField(_("terms"), null=True, blank=True)
    packages = models.ManyToManyField(
        Package, related_name="coupons", blank=True, verbose_name=_("packages")
    )
    most_uses = models.IntegerField(_("most uses"), null=True, blank=True)
    most_per_customer = models.IntegerField(_("most uses of one customer"), default=1)
    used = models.IntegerField(_("used"), default=0)
    valid_from = models.DateTimeField(_("valid from"))
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)
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
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ended by")
    )

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_coupon_code_is_plain", condition=Q(code__regex=CODE)
            ),
            models.CheckConstraint(
                name="packages_coupon_has_two_names", condition=~Q(name="") & ~Q(name_en="")
            ),
            models.CheckConstraint(
                name="packages_coupon_takes_a_share_or_an_amount",
                condition=Q(
                    bps__isnull=False,
                    bps__gte=1,
                    bps__lte=10_000,
                    amount_minor=None,
                    currency="",
                )
                | Q(
                    bps=None,
                    amount_minor__isnull=False,
                    amount_minor__gte=1,
                    currency__regex=r"^[A-Z]{3}$",
                ),
            ),
            models.CheckConstraint(
                name="packages_coupon_holds_for_terms", condition=Q(terms=None) | Q(terms__gte=1)
            ),
            models.CheckConstraint(
                name="packages_coupon_used_within_its_limit",
                condition=Q(most_uses=None) | Q(most_uses__gte=F("used")),
            ),
            models.CheckConstraint(
                name="packages_coupon_can_be_used",
                condition=Q(used__gte=0, most_per_customer__gte=1)
                & (Q(most_uses=None) | Q(most_uses__gte=1)),
            ),
            models.CheckConstraint(
                name="packages_coupon_used_only_when_published",
                condition=Q(used=0) | Q(published_at__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_coupon_begins_before_it_ends",
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")),
            ),
            models.CheckConstraint(
                name="packages_coupon_ended_is_not_published",
                condition=Q(ended_at=None)
                | Q(published_at=None)
                | Q(ended_at__gte=F("published_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def called(self) -> str:
        return spoken(self.name, self.name_en)

    @property
    def amount(self) -> Money | None:
        if self.amount_minor is None:
            return None
        return from_minor(self.amount_minor, self.currency)

    @property
    def discount(self) -> Discount:
        return Discount(code=self.code, bps=self.bps, amount=self.amount)

    @property
    def is_open(self) -> bool:
        """
        Tell whether it is published and not ended.
        """
        return self.published_at is not None and self.ended_at is None

    def holds(self, at: datetime) -> bool:
        """
        Tell whether it can be entered at a moment, as far as time goes.
        """
        begun = self.is_open and self.valid_from <= at
        return begun and (self.valid_to is None or at < self.valid_to)


class CouponUseQuerySet(models.QuerySet["CouponUse"]):
    def live(self) -> Self:
        """
        Return those that make a term to come cheaper.
        """
        return self.filter(ended_at=None)


class CouponUse(models.Model):
    """
    A coupon used for one subscription: the `number`th use of it, the customer's `nth`.

    terms_left: terms still to begin with it, None without end. It ends with the last of them, when
    the customer takes it off, or when the subscription becomes one of a package it is not for.
    """

    coupon = models.ForeignKey(
        Coupon, models.PROTECT, related_name="uses", verbose_name=_("coupon")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="coupon_uses", verbose_name=_("customer")
    )
    subscription = models.ForeignKey(
        "packages.Subscription",
        models.PROTECT,
        related_name="coupon_uses",
        verbose_name=_("subscription"),
    )
    number = models.IntegerField(_("number"))
    nth = models.IntegerField(_("use of the customer"))
    terms_left = models.IntegerField(_("terms left"), null=True, blank=True)
    used_at = models.DateTimeField(_("used"))
    used_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ended by")
    )

    objects = CouponUseQuerySet.as_manager()

    class Meta:
        verbose_name = _("use of a coupon")
        verbose_name_plural = _("uses of coupons")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "subscription",
                name="packages_couponuse_one_per_subscription",
                condition=Q(ended_at=None),
            ),
            models.UniqueConstraint("coupon", "number", name="packages_couponuse_counted_once"),
            models.UniqueConstraint(
                "coupon", "customer", "nth", name="packages_couponuse_counted_by_customer"
            ),
            models.CheckConstraint(
                name="packages_couponuse_counts_from_one", condition=Q(number__gte=1, nth__gte=1)
            ),
            models.CheckConstraint(
                name="packages_couponuse_ends_with_its_terms",
                condition=Q(terms_left=None)
                | Q(terms_left__gte=1)
                | Q(terms_left=0, ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coupon_id}/{self.number}"

    @property
    def is_live(self) -> bool:
        return self.ended_at is None
