from datetime import datetime
from decimal import Decimal
from typing import Self

import pghistory
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from packages.models.catalogue import Package
from packages.periods import MONTHS
from packages.terms import Component, Offer, Terms, spoken

LONGEST_TRIAL_DAYS = 366
LONGEST_BONUS_DAYS = 36_500
MOST_TIERS = 100


class PriceVersionQuerySet(models.QuerySet["PriceVersion"]):
    def on_sale(self, at: datetime) -> Self:
        """
        Return what can be bought at a moment.
        """
        return self.filter(
            Q(valid_to=None) | Q(valid_to__gt=at),
            package__state=Package.State.PUBLISHED,
            published_at__isnull=False,
            valid_from__lte=at,
        )

    def offered_to(self, customer: Customer) -> Self:
        """
        Return prices for everybody and this customer's own ones, in the customer's currency.
        """
        return self.filter(Q(customer=None) | Q(customer=customer), currency=customer.currency)

    def whole(self) -> Self:
        """
        Return versions with everything that `terms` reads, in a fixed number of queries.
        """
        return self.select_related("package", "customer", "offer").prefetch_related("components")


@pghistory.track(pghistory.DeleteEvent())  # a draft that was thrown away, and by whom
class PriceVersion(models.Model):
    """
    One immutable price of a package: for a currency and a term, perhaps for one customer only.

    `valid_to` ends its sale; who bought it keeps it. A draft (`published_at` None) may change.
    """

    class Interval(models.TextChoices):
        NONE = "", _("Once")
        MONTH = "month", _("Month")
        QUARTER = "quarter", _("Quarter")
        HALF_YEAR = "half_year", _("Half-year")
        YEAR = "year", _("Year")

    LENGTHS = {"": 0, **MONTHS}

    package = models.ForeignKey(
        Package, models.PROTECT, related_name="prices", verbose_name=_("package")
    )
    number = models.IntegerField(_("version"))
    currency = models.CharField(_("currency"), max_length=3)
    interval = models.CharField(_("term"), max_length=10, choices=Interval, blank=True)
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="own_prices",
        verbose_name=_("only for"),
    )
    trial_days = models.IntegerField(_("days of trial"), default=0)
    terms_version = models.CharField(_("version of the charging terms"), max_length=40)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)
    created_at = models.DateTimeField(_("made"))
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    closed_at = models.DateTimeField(_("end decided"), null=True, blank=True)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ended by")
    )

    objects = PriceVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [
            models.UniqueConstraint("package", "number", name="packages_price_numbered_once"),
            models.CheckConstraint(
                name="packages_price_currency_is_iso", condition=Q(currency__regex=r"^[A-Z]{3}$")
            ),
            models.CheckConstraint(
                name="packages_price_term_is_known",
                condition=Q(interval__in=["", "month", "quarter", "half_year", "year"]),
            ),
            models.CheckConstraint(
                name="packages_price_trial_is_bounded",
                condition=Q(trial_days__gte=0, trial_days__lte=LONGEST_TRIAL_DAYS),
            ),
            models.CheckConstraint(
                name="packages_price_begins_iff_published",
                condition=Q(published_at=None, valid_from=None, valid_to=None)
                | Q(
                    published_at__isnull=False,
                    valid_from__isnull=False,
                    valid_from__gte=F("published_at"),
                ),
            ),
            models.CheckConstraint(
                name="packages_price_ends_after_it_begins_and_was_decided",
                condition=Q(valid_to=None, closed_at=None)
                | Q(
                    valid_to__isnull=False,
                    closed_at__isnull=False,
                    valid_to__gte=F("valid_from"),
                    closed_at__gte=F("published_at"),
                )
                & Q(valid_to__gte=F("closed_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.package.code} v{self.number}"

    @property
    def terms(self) -> Terms:
        """
        Return what this version says, as plain values. Read versions with `whole()` for it.
        """
        offer = getattr(self, "offer", None)
        return Terms(
            currency=self.currency,
            interval=self.interval,
            trial_days=self.trial_days,
            components=tuple(one.plain(self.currency) for one in self.components.all()),
            offer=offer.plain(self.currency) if offer else None,
        )


class PriceComponent(models.Model):
    """
    One line of a price version; see `packages.terms.Component` for what its columns mean.
    """

    class Kind(models.TextChoices):
        RECURRING = "RECURRING", _("Basic price")
        FEATURE = "FEATURE", _("Feature")
        SEAT = "SEAT", _("Seats")
        METERED = "METERED", _("Usage")
        PERCENTAGE = "PERCENTAGE", _("Share of transactions")
        ONE_OFF = "ONE_OFF", _("One-off")

    class Model(models.TextChoices):
        PER_UNIT = "PER_UNIT", _("Per unit")
        GRADUATED = "GRADUATED", _("Graduated")
        VOLUME = "VOLUME", _("By volume")
        PACKAGE = "PACKAGE", _("In packages")

    version = models.ForeignKey(
        PriceVersion, models.CASCADE, related_name="components", verbose_name=_("price")
    )
    position = models.IntegerField(_("place in the list"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    code = models.CharField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    unit_en = models.CharField(_("English unit"), max_length=20, blank=True)
    amount_minor = models.BigIntegerField(_("amount"), null=True, blank=True)
    model = models.CharField(_("price model"), max_length=10, choices=Model, blank=True)
    tiers = models.JSONField(_("tiers"), default=list, blank=True)
    package_size = models.DecimalField(
        _("units per package"), max_digits=20, decimal_places=6, null=True, blank=True
    )
    included = models.DecimalField(_("included"), max_digits=20, decimal_places=6, default=0)
    hard_limit = models.DecimalField(
        _("hard limit"), max_digits=20, decimal_places=6, null=True, blank=True
    )
    pack_units = models.DecimalField(
        _("units of an extra pack"), max_digits=20, decimal_places=6, null=True, blank=True
    )
    pack_minor = models.BigIntegerField(_("price of an extra pack"), null=True, blank=True)
    bps = models.IntegerField(_("basis points"), null=True, blank=True)
    least_minor = models.BigIntegerField(_("least per transaction"), null=True, blank=True)
    most_minor = models.BigIntegerField(_("most per transaction"), null=True, blank=True)
    period_least_minor = models.BigIntegerField(_("least per term"), null=True, blank=True)
    period_most_minor = models.BigIntegerField(_("most per term"), null=True, blank=True)

    class Meta:
        verbose_name = _("price component")
        verbose_name_plural = _("price components")
        ordering = ["position", "pk"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint("version", "code", name="packages_component_once_per_price"),
            models.CheckConstraint(
                name="packages_component_amount_iff_fixed",
                condition=Q(
                    kind__in=["RECURRING", "FEATURE", "ONE_OFF"],
                    amount_minor__isnull=False,
                    amount_minor__gte=0,
                )
                | Q(kind__in=["SEAT", "METERED", "PERCENTAGE"], amount_minor=None),
            ),
            models.CheckConstraint(
                name="packages_component_tiers_iff_counted",
                condition=Q(
                    kind__in=["SEAT", "METERED"],
                    model__in=["PER_UNIT", "GRADUATED", "VOLUME", "PACKAGE"],
                )
                | (Q(kind__in=["RECURRING", "FEATURE", "ONE_OFF", "PERCENTAGE"]) & Q(model="")),
            ),
            models.CheckConstraint(
                name="packages_component_size_iff_in_packages",
                condition=Q(model="PACKAGE", package_size__isnull=False, package_size__gt=0)
                | (~Q(model="PACKAGE") & Q(package_size=None)),
            ),
            models.CheckConstraint(
                name="packages_component_share_iff_percentage",
                condition=Q(kind="PERCENTAGE", bps__isnull=False, bps__gte=0, bps__lte=10_000)
                | (
                    ~Q(kind="PERCENTAGE")
                    & Q(bps=None, least_minor=None, most_minor=None)
                    & Q(period_least_minor=None, period_most_minor=None)
                ),
            ),
            models.CheckConstraint(
                name="packages_component_pack_has_units_and_a_price",
                condition=Q(pack_units=None, pack_minor=None)
                | Q(
                    kind="METERED",
                    pack_units__isnull=False,
                    pack_units__gt=0,
                    pack_minor__isnull=False,
                    pack_minor__gt=0,
                ),
            ),
            models.CheckConstraint(
                name="packages_component_limits_are_ordered",
                condition=Q(included__gte=0)
                & (Q(hard_limit=None) | Q(hard_limit__gte=F("included")))
                & (Q(least_minor=None) | Q(least_minor__gte=0))
                & (Q(most_minor=None) | Q(most_minor__gte=0))
                & (Q(period_least_minor=None) | Q(period_least_minor__gte=0))
                & (Q(period_most_minor=None) | Q(period_most_minor__gte=0))
                & (Q(least_minor=None) | Q(most_minor=None) | Q(most_minor__gte=F("least_minor")))
                & (
                    Q(period_least_minor=None)
                    | Q(period_most_minor=None)
                    | Q(period_most_minor__gte=F("period_least_minor"))
                ),
            ),
        ]

    def __str__(self) -> str:
        return spoken(self.name, self.name_en)

    def plain(self, currency: str) -> Component:
        return Component(
            kind=self.kind,
            code=self.code,
            name=self.name,
            name_en=self.name_en,
            unit=self.unit,
            unit_en=self.unit_en,
            amount=_money(self.amount_minor, currency),
            model=self.model,
            tiers=tuple(self.tiers),
            package_size=_number(self.package_size),
            included=_number(self.included) or Decimal(0),
            hard_limit=_number(self.hard_limit),
            pack_units=_number(self.pack_units),
            pack_price=_money(self.pack_minor, currency),
            bps=self.bps,
            least=_money(self.least_minor, currency),
            most=_money(self.most_minor, currency),
            period_least=_money(self.period_least_minor, currency),
            period_most=_money(self.period_most_minor, currency),
        )


class TopUpOffer(models.Model):
    """
    What a top-up package promises; written onto the TopUp before the customer pays.
    """

    version = models.OneToOneField(
        PriceVersion, models.CASCADE, related_name="offer", verbose_name=_("price")
    )
    amount_minor = models.BigIntegerField(_("amount"))
    bonus_minor = models.BigIntegerField(_("bonus"))
    bonus_days = models.IntegerField(_("bonus lives (days)"), null=True, blank=True)

    class Meta:
        verbose_name = _("top-up offer")
        verbose_name_plural = _("top-up offers")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_offer_amounts_make_sense",
                condition=Q(amount_minor__gt=0, bonus_minor__gte=0),
            ),
            models.CheckConstraint(
                name="packages_offer_bonus_lives_for_days",
                condition=Q(bonus_days=None)
                | Q(bonus_days__gte=1, bonus_days__lte=LONGEST_BONUS_DAYS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} · {self.amount_minor} + {self.bonus_minor}"

    def plain(self, currency: str) -> Offer:
        return Offer(
            amount=from_minor(self.amount_minor, currency),
            bonus=from_minor(self.bonus_minor, currency),
            bonus_days=self.bonus_days,
        )


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else from_minor(minor, currency)


def _number(stored: Decimal | None) -> Decimal | None:
    """
    Return a number without the zeros its column adds.
    """
    if stored is None:
        return None
    plain = Decimal(stored)
    return plain.quantize(Decimal(1)) if plain == plain.to_integral_value() else plain.normalize()
