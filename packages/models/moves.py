from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Consent, User
from packages.models.changes import SubscriptionChange
from packages.models.notices import Notice
from packages.models.prices import PriceVersion
from packages.models.subscriptions import Subscription

PRICE_NOTICE = timedelta(days=30)  # renewal.price_increase_notice_days (D§6.2)


class PriceMoveQuerySet(models.QuerySet["PriceMove"]):
    def open(self) -> Self:
        return self.filter(revoked_at=None)


class PriceMove(models.Model):
    """
    Staff's decision that who has one price is to have another, from their first term on that
    begins at `holds_from` or later and PRICE_NOTICE after they were told.

    is_no_worse: the other price is nowhere dearer, so it holds by itself; else it holds for whoever
    agrees, and for the others the subscription ends with what is paid.
    source: docs/adr/0017-price-moves.md
    """

    from_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="moves", verbose_name=_("price before")
    )
    to_version = models.ForeignKey(
        PriceVersion, models.PROTECT, related_name="+", verbose_name=_("price after")
    )
    holds_from = models.DateTimeField(_("holds from"))
    is_no_worse = models.BooleanField(_("nowhere dearer"))
    reason = models.CharField(_("reason"), max_length=300)
    reason_en = models.CharField(_("reason in English"), max_length=300)
    announced_at = models.DateTimeField(_("decided"))
    announced_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    revoked_at = models.DateTimeField(_("taken back"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("taken back by"),
    )

    objects = PriceMoveQuerySet.as_manager()

    class Meta:
        verbose_name = _("announced price")
        verbose_name_plural = _("announced prices")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "from_version",
                name="packages_move_one_open_for_a_price",
                condition=Q(revoked_at=None),
            ),
            models.CheckConstraint(
                name="packages_move_is_decided_long_before",
                condition=Q(holds_from__gte=F("announced_at") + PRICE_NOTICE),
            ),
            models.CheckConstraint(
                name="packages_move_goes_elsewhere",
                condition=~Q(from_version=F("to_version")),
            ),
            models.CheckConstraint(
                name="packages_move_says_why",
                condition=~Q(reason="") & ~Q(reason_en=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_version} → {self.to_version}"


class PriceAnnouncementQuerySet(models.QuerySet["PriceAnnouncement"]):
    def unmade(self) -> Self:
        """
        Return what still waits for its term: neither taken back nor announced again, and the next
        term is at the old price.
        """
        scheduled = SubscriptionChange.objects.scheduled().filter(
            subscription=OuterRef("subscription"), to_version__isnull=False
        )
        to_old = scheduled.filter(to_version=OuterRef("move__from_version"))
        return self.filter(
            Q(subscription__price_version=F("move__from_version")) & ~Exists(scheduled)
            | Exists(to_old),
            replaced_at=None,
            move__revoked_at=None,
            subscription__ended_at=None,
        )

    def coming(self) -> Self:
        """
        Return what has been announced and not come into force yet, scheduled or not.
        """
        scheduled = SubscriptionChange.objects.scheduled().filter(announcement=OuterRef("pk"))
        return (self.unmade() | self.filter(Exists(scheduled))).filter(move__revoked_at=None)

    def unanswered(self) -> Self:
        """
        Return what its customer would have to agree to and has not.
        """
        return self.unmade().filter(consent=None, move__is_no_worse=False)

    def returned(self) -> Self:
        """
        Return what would have to be agreed to by somebody whom its mail did not reach.
        """
        return self.unanswered().filter(
            notice__bounced_at__isnull=False, subscription__auto_renew=True
        )

    def ending(self) -> Self:
        """
        Return, of an outer subscription, the one for want of which it ends with its term.
        """
        return self.unanswered().filter(
            subscription=OuterRef("pk"),
            holds_from__lte=OuterRef("next_try_at"),
            notice__sent_at__lte=OuterRef("next_try_at") - PRICE_NOTICE,
            notice__bounced_at=None,
        )


class PriceAnnouncement(models.Model):
    """
    One subscription that was told of another price. notice: the mail. holds_from: for a term that
    begins then or later. consent: by which the customer agreed to it. replaced_at: since when it is
    announced again, because the mail had come back.
    """

    move = models.ForeignKey(
        PriceMove, models.PROTECT, related_name="announcements", verbose_name=_("announced price")
    )
    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        related_name="price_announcements",
        verbose_name=_("subscription"),
    )
    notice = models.OneToOneField(
        Notice, models.PROTECT, related_name="announces", verbose_name=_("notice")
    )
    holds_from = models.DateTimeField(_("holds from"))
    made_at = models.DateTimeField(_("made"))
    consent = models.ForeignKey(
        Consent, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("consent")
    )
    agreed_at = models.DateTimeField(_("agreed"), null=True, blank=True)
    agreed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("agreed by")
    )
    replaced_at = models.DateTimeField(_("announced again"), null=True, blank=True)

    objects = PriceAnnouncementQuerySet.as_manager()

    class Meta:
        verbose_name = _("announcement of a price")
        verbose_name_plural = _("announcements of prices")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                "move",
                "subscription",
                name="packages_announcement_once_for_each",
                condition=Q(replaced_at=None),
            ),
            models.CheckConstraint(
                name="packages_announcement_agreed_or_replaced",
                condition=Q(consent=None) | Q(replaced_at=None),
            ),
            models.CheckConstraint(
                name="packages_announcement_is_long_before",
                condition=Q(holds_from__gte=F("made_at") + PRICE_NOTICE),
            ),
            models.CheckConstraint(
                name="packages_announcement_agreed_iff_consent",
                condition=Q(consent=None, agreed_at=None, agreed_by=None)
                | Q(consent__isnull=False, agreed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.move_id}"
