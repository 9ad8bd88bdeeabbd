from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor
from packages.models.subscriptions import Subscription


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def holding_up(self) -> Self:
        """
        Return the announcements that came back, of renewals not announced again since.
        """
        again = Notice.objects.filter(
            subscription=OuterRef("subscription"),
            kind=Notice.Kind.RENEWAL,
            period_number=OuterRef("period_number"),
            step__gt=OuterRef("step"),
        )
        return self.filter(
            ~Exists(again),
            kind=Notice.Kind.RENEWAL,
            bounced_at__isnull=False,
            period_number=F("subscription__period_number") + 1,
            subscription__auto_renew=True,
        ).exclude(subscription__state=Subscription.State.ENDED)


class Notice(models.Model):
    """
    What a customer was told about a subscription, word for word, once for each step.

    period_number: the period it is about; of RENEWAL the one that would begin at `due_at`, whose
    charge needs it. step: days before the end (EXPIRY) or the renewal (LOW_BALANCE), or since the
    first failure (DUNNING); how often it was announced before (RENEWAL, PRICE); how many per cent
    of what is included are used (QUOTA), of the feature `code`.
    bounced_at: when it was known that it reached none of `sent_to`; sent_at is empty where the mail
    server took it for nobody. bounced_to: those it came back from so far.
    """

    class Kind(models.TextChoices):
        RENEWAL = "RENEWAL", _("Before a renewal")
        LOW_BALANCE = "LOW_BALANCE", _("Balance too low for a renewal")
        EXPIRY = "EXPIRY", _("Before the end")
        DUNNING = "DUNNING", _("Renewal not paid")
        QUOTA = "QUOTA", _("What is included is being used up")
        USE_UNPAID = "USE_UNPAID", _("Use not paid")
        PRICE = "PRICE", _("Another price")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="notices", verbose_name=_("customer")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="notices", verbose_name=_("subscription")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    period_number = models.IntegerField(_("period"))
    step = models.IntegerField(_("step"), default=0)
    code = models.CharField(_("feature"), max_length=40, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"))
    due_at = models.DateTimeField(_("happens"))
    locale = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=300)
    text = models.TextField(_("text"))
    created_at = models.DateTimeField(_("made"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    sent_to = models.JSONField(_("sent to"), default=list, blank=True)
    dropped_at = models.DateTimeField(_("not needed any more"), null=True, blank=True)
    bounced_to = models.JSONField(_("came back from"), default=list, blank=True)
    bounced_at = models.DateTimeField(_("came back"), null=True, blank=True)
    bounce_reason = models.CharField(_("why it came back"), max_length=500, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "subscription",
                "period_number",
                "kind",
                "step",
                "code",
                name="packages_notice_once",
            ),
            models.CheckConstraint(
                name="packages_notice_kind_is_known",
                condition=Q(
                    kind__in=[
                        "RENEWAL",
                        "LOW_BALANCE",
                        "EXPIRY",
                        "DUNNING",
                        "QUOTA",
                        "USE_UNPAID",
                        "PRICE",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="packages_notice_names_a_feature_iff_of_a_quota",
                condition=Q(kind="QUOTA") & ~Q(code="") | ~Q(kind="QUOTA") & Q(code=""),
            ),
            models.CheckConstraint(
                name="packages_notice_sent_or_dropped",
                condition=Q(sent_at=None) | Q(dropped_at=None),
            ),
            models.CheckConstraint(
                name="packages_notice_bounced_or_dropped",
                condition=Q(bounced_at=None) | Q(dropped_at=None),
            ),
            models.CheckConstraint(
                name="packages_notice_bounced_after_it_was_sent",
                condition=Q(bounced_at=None)
                | Q(sent_at=None, bounced_at__gte=F("created_at"))
                | Q(sent_at__isnull=False, bounced_at__gte=F("sent_at")),
            ),
            models.CheckConstraint(
                name="packages_notice_bounced_iff_it_says_why",
                condition=Q(bounced_at=None, bounce_reason="")
                | Q(bounced_at__isnull=False) & ~Q(bounce_reason=""),
            ),
            models.CheckConstraint(
                name="packages_notice_sent_after_it_was_made",
                condition=Q(sent_at=None) | Q(sent_at__gte=F("created_at")),
            ),
            models.CheckConstraint(
                name="packages_notice_says_something",
                condition=~Q(subject="") & ~Q(text="") & Q(amount_minor__gte=0),
            ),
        ]
        indexes = [models.Index(fields=["customer", "-id"], name="packages_notice_by_customer")]

    def __str__(self) -> str:
        return self.subject

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.currency)


class RenewalRun(models.Model):
    """
    One sweep of what was due: its counts add up to what it looked at.
    """

    at = models.DateTimeField(_("as of"))
    is_rehearsal = models.BooleanField(_("rehearsal"), default=False)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    started_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    ok = models.IntegerField(_("renewed"), default=0)
    insufficient = models.IntegerField(_("balance not enough"), default=0)
    waiting = models.IntegerField(_("waiting for notice"), default=0)
    failed = models.IntegerField(_("failed"), default=0)
    ended = models.IntegerField(_("ended"), default=0)
    paused = models.IntegerField(_("paused"), default=0)

    class Meta:
        verbose_name = _("renewal run")
        verbose_name_plural = _("renewal runs")
        permissions = [("run_renewals", "Can run and rehearse renewals")]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="packages_run_counts_not_negative",
                condition=Q(
                    ok__gte=0,
                    insufficient__gte=0,
                    waiting__gte=0,
                    failed__gte=0,
                    ended__gte=0,
                    paused__gte=0,
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"

    @property
    def looked_at(self) -> int:
        return sum((self.ok, self.insufficient, self.waiting, self.failed, self.ended, self.paused))
