from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, User
from crm_billing import plain_text
from packages.models.charges import Charge
from wallet.models import Case

LONGEST_WORDS = 1000


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(charge__customer__in=Customer.objects.visible_to(user))


class Dispute(models.Model):
    """
    What one of a customer's people says is wrong with a charge, word for word. Append-only.

    What staff did about it, its case says. number: of its charge's disputes, one after the other.
    """

    charge = models.ForeignKey(
        Charge, models.PROTECT, related_name="disputes", verbose_name=_("charge")
    )
    number = models.IntegerField(_("number"))
    case = models.OneToOneField(
        Case, models.PROTECT, related_name="dispute", verbose_name=_("case")
    )
    words = models.CharField(
        _("what is wrong"), max_length=LONGEST_WORDS, validators=[plain_text.require_lines]
    )
    made_at = models.DateTimeField(_("made"))
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("by"))

    objects = DisputeQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        default_permissions = ("view",)
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint("charge", "number", name="packages_dispute_numbered_once"),
            models.CheckConstraint(
                name="packages_dispute_says_something", condition=~Q(words="") & Q(number__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.charge_id}/{self.number}"

    @property
    def is_open(self) -> bool:
        return self.case.is_open
