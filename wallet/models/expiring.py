from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import from_minor
from wallet.models.lots import Lot


class ExpiryLetter(models.Model):
    """
    One mail that told a customer which credit expires soon, word for word: at most one a day.

    on_day: in the customer's zone. It is written when it is sent, so that it says what is left
    then; dropped when nothing is.
    """

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="expiry_letters", verbose_name=_("customer")
    )
    on_day = models.DateField(_("day"))
    created_at = models.DateTimeField(_("made"))
    locale = models.CharField(_("language"), max_length=10, blank=True)
    subject = models.CharField(_("subject"), max_length=300, blank=True)
    text = models.TextField(_("text"), blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    sent_to = models.JSONField(_("sent to"), default=list, blank=True)
    dropped_at = models.DateTimeField(_("not needed any more"), null=True, blank=True)

    class Meta:
        verbose_name = _("reminder of expiry")
        verbose_name_plural = _("reminders of expiry")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint("customer", "on_day", name="wallet_expiryletter_once_a_day"),
            models.CheckConstraint(
                name="wallet_expiryletter_sent_or_dropped",
                condition=Q(sent_at=None) | Q(dropped_at=None),
            ),
            models.CheckConstraint(
                name="wallet_expiryletter_says_something_iff_sent",
                condition=Q(sent_at=None, text="")
                | (Q(sent_at__isnull=False, sent_at__gte=F("created_at")) & ~Q(text="")),
            ),
        ]
        indexes = [models.Index(fields=["customer", "-id"], name="wallet_expiryletter_customer")]

    def __str__(self) -> str:
        return self.subject or f"{self.customer_id} {self.on_day}"


class ExpiryReminder(models.Model):
    """
    A lot in a letter. step: days before its end, once each. amount_minor: what was left of it.
    """

    letter = models.ForeignKey(
        ExpiryLetter, models.PROTECT, related_name="reminders", verbose_name=_("letter")
    )
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="reminders", verbose_name=_("lot"))
    step = models.IntegerField(_("days before"))
    amount_minor = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("lot in a reminder")
        verbose_name_plural = _("lots in reminders")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint("lot", "step", name="wallet_expiryreminder_once_per_step"),
            models.CheckConstraint(
                name="wallet_expiryreminder_steps_are_known", condition=Q(step__in=[30, 7, 1])
            ),
            models.CheckConstraint(
                name="wallet_expiryreminder_is_about_something", condition=Q(amount_minor__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.lot_id} −{self.step}"

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.lot.currency)
