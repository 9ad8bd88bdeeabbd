from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Consent, Customer, User
from crm_billing.money import from_minor
from packages.models.catalogue import Package
from packages.models.coupons import CouponUse
from packages.models.prices import PriceVersion

MOST_SEATS = 1_000_000
MOST_FAILURES = 5  # then it is parked for a person


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def live(self) -> Self:
        """
        Leave out what has ended.
        """
        return self.exclude(state=Subscription.State.ENDED)

    def packages_had(self) -> set[int]:
        """
        Return the ids of the packages these are of, or were before they changed.
        """
        left = self.filter(changes__isnull=False)
        found = self.values_list("package_id").union(
            left.values_list("changes__from_version__package_id")
        )
        return {id for (id,) in found}

    def due(self, at: datetime) -> Self:
        """
        Return what the sweep has to look at: its next moment has come, and it is not parked.
        """
        return self.filter(next_try_at__lte=at, failures__lt=MOST_FAILURES)

    def whole(self) -> Self:
        """
        Return subscriptions with everything their terms need, in a fixed number of queries.
        """
        return self.select_related(
            "customer", "package", "price_version__package", "price_version__offer"
        ).prefetch_related("price_version__components")


class Subscription(models.Model):
    """
    A package a customer has, at the price version it was bought at, until it ends.

    Periods are counted from the anchor in the zone of its beginning: period `anchor_number` begins
    on `anchor_on`. `period_number` and `paid_until` are those of the last period. Without
    `auto_renew` it ends then; it was switched on by the consent beside it.
    """

    class State(models.TextChoices):
        TRIAL = "TRIAL", _("Trial")
        ACTIVE = "ACTIVE", _("Active")
        PAST_DUE = "PAST_DUE", _("Past due")
        RESTRICTED = "RESTRICTED", _("Restricted")
        SUSPENDED = "SUSPENDED", _("Suspended")
        PAUSED = "PAUSED", _("Paused")
        ENDED = "ENDED", _("Ended")

    number = models.CharField(_("number"), max_length=32, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="subscriptions", verbose_name=_("customer")
    )
    package = models.ForeignKey(
        Package, models.PROTECT, related_name="subscriptions", verbose_name=_("package")
    )
    price_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="subscriptions", verbose_name=_("price")
    )
    currency = models.CharField(_("currency"), max_length=3)
    seats = models.IntegerField(_("seats"), default=1)
    state = models.CharField(_("state"), max_length=10, choices=State)
    auto_renew = models.BooleanField(_("renews by itself"), default=False)
    consent = models.ForeignKey(
        Consent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("consent to renewals"),
    )
    had_trial = models.BooleanField(_("began with a trial"), default=False)
    trial_of = models.ForeignKey(
        Package,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("package tried"),
    )
    zone = models.CharField(_("time zone"), max_length=50)
    anchor_on = models.DateField(_("anchor"))
    anchor_number = models.IntegerField(_("period of the anchor"), default=1)
    period_number = models.IntegerField(_("last period"), default=1)
    paid_until = models.DateTimeField(_("paid until"))
    next_try_at = models.DateTimeField(_("next looked at"), null=True, blank=True)
    past_due_at = models.DateTimeField(_("past due since"), null=True, blank=True)
    failures = models.IntegerField(_("failed tries"), default=0)
    created_at = models.DateTimeField(_("begun"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("begun by")
    )
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    cancelled_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("cancelled by"),
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        permissions = [("cancel_subscription", "Can cancel subscriptions for customers")]
        constraints = [
            models.UniqueConstraint(
                "customer",
                "package",
                name="packages_subscription_once_per_package",
                condition=~Q(state="ENDED"),
            ),
            models.UniqueConstraint(
                "customer",
                "trial_of",
                name="packages_subscription_one_trial_per_package",
                condition=Q(trial_of__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_subscription_tried_iff_trial",
                condition=Q(had_trial=True, trial_of__isnull=False)
                | Q(had_trial=False, trial_of=None),
            ),
            models.CheckConstraint(
                name="packages_subscription_has_seats",
                condition=Q(seats__gte=1, seats__lte=MOST_SEATS),
            ),
            models.CheckConstraint(
                name="packages_subscription_renews_by_consent_only",
                condition=Q(auto_renew=False) | Q(consent__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_subscription_cancelled_renews_no_more",
                condition=Q(cancelled_at=None) | Q(auto_renew=False),
            ),
            models.CheckConstraint(
                name="packages_subscription_ended_iff_stamped",
                condition=Q(state="ENDED", ended_at__isnull=False, next_try_at=None)
                | (~Q(state="ENDED") & Q(ended_at=None, next_try_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="packages_subscription_periods_follow_the_anchor",
                condition=Q(anchor_number__gte=1, period_number__gte=F("anchor_number"))
                | Q(anchor_number=F("period_number") + 1, had_trial=True),
            ),
            models.CheckConstraint(
                name="packages_subscription_past_due_iff_since_when",
                condition=Q(
                    state__in=["PAST_DUE", "RESTRICTED", "SUSPENDED"], past_due_at__isnull=False
                )
                | (~Q(state__in=["PAST_DUE", "RESTRICTED", "SUSPENDED"]) & Q(past_due_at=None)),
            ),
            models.CheckConstraint(
                name="packages_subscription_state_is_known",
                condition=Q(
                    state__in=[
                        "TRIAL",
                        "ACTIVE",
                        "PAST_DUE",
                        "RESTRICTED",
                        "SUSPENDED",
                        "PAUSED",
                        "ENDED",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="packages_subscription_paused_goes_on_by_itself",
                condition=~Q(state="PAUSED") | Q(auto_renew=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at", "id"],
                name="packages_subscription_due",
                condition=Q(next_try_at__isnull=False),
            ),
            models.Index(fields=["customer", "-id"], name="packages_sub_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.package.called}"

    @property
    def is_live(self) -> bool:
        return self.state != self.State.ENDED

    @property
    def is_paused(self) -> bool:
        return self.state == self.State.PAUSED

    @property
    def is_past_due(self) -> bool:
        return self.past_due_at is not None

    @property
    def will_end(self) -> bool:
        """
        Tell whether it ends with its last period.
        """
        return self.is_live and not self.auto_renew


class SubscriptionPeriod(models.Model):
    """
    One term of a subscription: [starts_at, ends_at), at local midnights, and what it costs.

    Each follows the one before without a gap (`previous_number`), unless service had stopped in
    between. Append-only; a change of the term cuts the last one short.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="periods", verbose_name=_("subscription")
    )
    number = models.IntegerField(_("number"))
    previous_number = models.IntegerField(null=True, blank=True, editable=False)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    price_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price")
    )
    seats = models.IntegerField(_("seats"))
    is_trial = models.BooleanField(_("trial"), default=False)
    coupon_use = models.ForeignKey(
        CouponUse,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="periods",
        verbose_name=_("coupon"),
    )
    amount_minor = models.BigIntegerField(_("amount"))
    created_at = models.DateTimeField(_("made"))
    cut_at = models.DateTimeField(_("cut short"), null=True, blank=True)

    class Meta:
        verbose_name = _("period")
        verbose_name_plural = _("periods")
        default_permissions = ("view",)
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                "subscription", "number", name="packages_period_once_per_subscription"
            ),
            models.UniqueConstraint(
                "subscription", "number", "ends_at", name="packages_period_ends_at_one_moment"
            ),
            models.CheckConstraint(
                name="packages_period_begins_before_it_ends",
                condition=Q(ends_at__gt=F("starts_at"))
                | Q(ends_at=F("starts_at"), cut_at__isnull=False),
            ),
            models.CheckConstraint(
                name="packages_period_follows_the_one_before",
                condition=Q(number__gte=1)
                & (Q(previous_number=None) | Q(number=F("previous_number") + 1)),
            ),
            models.CheckConstraint(
                name="packages_period_costs_nothing_in_trial",
                condition=Q(amount_minor__gte=0) & (Q(is_trial=False) | Q(amount_minor=0)),
            ),
            models.CheckConstraint(
                name="packages_period_uses_no_coupon_in_trial",
                condition=Q(is_trial=False) | Q(coupon_use=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["coupon_use"],
                name="packages_period_by_coupon",
                condition=Q(coupon_use__isnull=False),
            ),
            models.Index(fields=["ends_at"], name="packages_period_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}/{self.number}"

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.price_version.currency)
