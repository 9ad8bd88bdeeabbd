from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from crm_billing.plain_text import PlainText
from packages.terms import spoken

METER_CODE = r"^[a-z0-9][a-z0-9_-]{0,39}$"
EVENT_ID = r"^[!-~]+$"  # plain characters, no blanks: compared byte by byte
LATEST = timedelta(hours=72)  # how long after it happened use may be told
EARLIEST = timedelta(minutes=5)  # how far a teller's clock may be fast


class MeterQuerySet(models.QuerySet["Meter"]):
    def used_by(self, customer: Customer) -> Self:
        """
        Return the meters on which a customer has ever used something.
        """
        hours = UsageHour.objects.filter(customer=customer, meter=models.OuterRef("pk"))
        return self.filter(models.Exists(hours))


class Meter(PlainText):
    """
    Something whose use is counted. Components of prices name it by its code.

    How many events make one quantity, `aggregation` says, for ever: a meter never changes and is
    never deleted, only retired. carries_value: each event is a transaction of so much money.
    source: docs/adr/0013-usage.md
    """

    class Aggregation(models.TextChoices):
        SUM = "SUM", _("All together")
        MAX = "MAX", _("The largest")
        UNIQUE = "UNIQUE", _("Different subjects")
        LAST = "LAST", _("The last")

    code = models.CharField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=100)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    unit_en = models.CharField(_("English unit"), max_length=20, blank=True)
    aggregation = models.CharField(_("what counts"), max_length=6, choices=Aggregation)
    carries_value = models.BooleanField(_("of transactions"), default=False)
    created_at = models.DateTimeField(_("made"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)
    retired_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("retired by")
    )

    objects = MeterQuerySet.as_manager()

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_meter_code_is_plain", condition=Q(code__regex=METER_CODE)
            ),
            models.CheckConstraint(
                name="packages_meter_has_two_names", condition=~Q(name="") & ~Q(name_en="")
            ),
            models.CheckConstraint(
                name="packages_meter_aggregation_is_known",
                condition=Q(aggregation__in=["SUM", "MAX", "UNIQUE", "LAST"]),
            ),
            models.CheckConstraint(
                name="packages_meter_of_transactions_adds_them_up",
                condition=Q(carries_value=False) | Q(aggregation="SUM"),
            ),
            models.CheckConstraint(
                name="packages_meter_retires_after_it_was_made",
                condition=Q(retired_at=None) | Q(retired_at__gte=F("created_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.called}"

    @property
    def called(self) -> str:
        return spoken(self.name, self.name_en)

    @property
    def counted_in(self) -> str:
        return spoken(self.unit, self.unit_en)


class UsageEventQuerySet(models.QuerySet["UsageEvent"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class UsageEvent(models.Model):
    """
    Something a customer used, as it was told; written by `packages.usage.record` and never changed.

    A correction is an event with a negative quantity that names, in `corrects`, what it takes away
    from. counts_at: the moment it counts at, which for a correction is that of the other event.
    That customer and meter exist, the hour of each event holds: asked once for all of a batch.
    """

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        related_name="usage_events",
        verbose_name=_("customer"),
        db_index=False,
        db_constraint=False,
    )
    event_id = models.CharField(_("number of the event"), max_length=100, db_collation="C")
    meter = models.ForeignKey(
        Meter,
        models.PROTECT,
        related_name="events",
        verbose_name=_("meter"),
        db_index=False,
        db_constraint=False,
    )
    quantity = models.DecimalField(_("quantity"), max_digits=20, decimal_places=6)
    occurred_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"))
    counts_at = models.DateTimeField(_("counts at"))
    corrects = models.CharField(_("corrects"), max_length=100, blank=True, db_collation="C")
    subject = models.CharField(_("used by"), max_length=100, blank=True)
    value_minor = models.BigIntegerField(_("value of the transaction"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)

    objects = UsageEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage event")
        verbose_name_plural = _("usage events")
        default_permissions = ("view",)
        indexes = [
            models.Index("customer", "meter", "counts_at", name="packages_usage_by_time"),
            models.Index(
                "customer", "corrects", name="packages_usage_corrections", condition=~Q(corrects="")
            ),
        ]
        constraints = [
            models.UniqueConstraint("customer", "event_id", name="packages_usage_told_once"),
            models.CheckConstraint(
                name="packages_usage_event_id_is_plain", condition=Q(event_id__regex=EVENT_ID)
            ),
            models.CheckConstraint(
                name="packages_usage_negative_iff_correction",
                condition=Q(corrects="", quantity__gte=0, quantity__lt=10**14)
                | (~Q(corrects="") & Q(quantity__lt=0)),
            ),
            models.CheckConstraint(
                name="packages_usage_is_told_in_time",
                condition=Q(
                    occurred_at__gte=F("received_at") - LATEST,
                    counts_at__gte=F("received_at") - LATEST,
                    occurred_at__lte=F("received_at") + EARLIEST,
                ),
            ),
            models.CheckConstraint(
                name="packages_usage_counts_when_it_happened",
                condition=~Q(corrects="") | Q(counts_at=F("occurred_at")),
            ),
            models.CheckConstraint(
                name="packages_usage_value_has_a_currency_and_its_quantitys_sign",
                condition=Q(value_minor=None, currency="")
                | (
                    Q(value_minor__isnull=False, currency__regex=r"^[A-Z]{3}$")
                    & (
                        Q(value_minor__gte=0, quantity__gte=0)
                        | Q(value_minor__lte=0, quantity__lt=0)
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.event_id


class UsageHour(models.Model):
    """
    The events of an hour (UTC) rolled up, kept by the database with each that comes.

    Corrected events count as what is left of them; what was taken back whole does not count.
    largest, last: None when nothing is left. last_event: of several at one moment, the last by id.
    """

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", db_index=False)
    meter = models.ForeignKey(Meter, models.PROTECT, related_name="+", db_index=False)
    starts_at = models.DateTimeField(_("hour"))
    events = models.BigIntegerField(_("events"))
    total = models.DecimalField(_("sum"), max_digits=38, decimal_places=6)
    value_minor = models.DecimalField(_("value"), max_digits=38, decimal_places=0)
    largest = models.DecimalField(_("largest"), max_digits=20, decimal_places=6, null=True)
    last = models.DecimalField(_("last"), max_digits=20, decimal_places=6, null=True)
    last_at = models.DateTimeField(_("when the last happened"), null=True)
    last_event = models.CharField(_("last event"), max_length=100, blank=True, db_collation="C")

    class Meta:
        verbose_name = _("hour of usage")
        verbose_name_plural = _("hours of usage")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "customer", "meter", "starts_at", name="packages_usage_hour_once"
            ),
            models.CheckConstraint(
                name="packages_usage_hour_is_never_below_zero",
                condition=Q(events__gte=0, total__gte=0, value_minor__gte=0),
            ),
            models.CheckConstraint(
                name="packages_usage_hour_has_a_largest_iff_a_last",
                condition=Q(events=0, largest=None, last=None, last_at=None, last_event="")
                | Q(
                    events__gt=0,
                    largest__isnull=False,
                    last__isnull=False,
                    last_at__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.starts_at:%Y-%m-%d %H}"


class UsageMark(models.Model):
    """
    One row for each customer who told of use, written anew by the database with all that comes: who
    has seen the row knows by it whether there is more. source: docs/adr/0020-kept-answers.md
    """

    customer = models.OneToOneField(
        Customer, models.PROTECT, primary_key=True, related_name="+", verbose_name=_("customer")
    )
    marked_at = models.DateTimeField(_("marked"))

    class Meta:
        verbose_name = _("mark of usage")
        verbose_name_plural = _("marks of usage")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.customer_id} {self.marked_at:%Y-%m-%d %H:%M:%S}"
