from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.customers import Customer
from accounts.models.history import tracked
from accounts.models.users import User
from crm_billing.plain_text import PlainText


class Role(models.TextChoices):
    OWNER = "OWNER", _("Owner")
    FINANCE = "FINANCE", _("Finance")
    VIEWER = "VIEWER", _("Viewer")


RIGHTS = {
    Role.VIEWER: _("Viewer: sees balance, activity and receipts"),
    Role.FINANCE: _(
        "Finance: also tops up, subscribes, changes and cancels, caps use and disputes charges"
    ),
    Role.OWNER: _("Owner: also manages members, keys and details"),
}


class MemberQuerySet(models.QuerySet["Member"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


@tracked(verbose_name=_("member change"))
class Member(models.Model):
    """
    A user's role in a customer. Owners and finance people may top up; viewers only look.
    """

    Role = Role

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="members")
    role = models.CharField(_("role"), max_length=10, choices=Role)
    created_at = models.DateTimeField(_("member since"), default=timezone.now)

    objects = MemberQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint("user", "customer", name="accounts_member_once_per_customer"),
            models.CheckConstraint(
                name="accounts_member_role_is_known", condition=Q(role__in=Role.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"

    @property
    def may_top_up(self) -> bool:
        return self.role in (Role.OWNER, Role.FINANCE)

    @property
    def may_manage(self) -> bool:
        return self.role == Role.OWNER


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))

    def open(self) -> Self:
        return self.filter(accepted_at=None, revoked_at=None)

    def waiting(self, at: datetime) -> Self:
        return self.open().filter(expires_at__gt=at)


@tracked(verbose_name=_("invitation change"), exclude=["token_sha256"])
class Invitation(PlainText):
    """
    An e-mailed offer to become a member. The token travels only in the mail; we keep its hash.
    """

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="invitations")
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=10, choices=Role)
    token_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("sent"))
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                "customer",
                Lower("email"),
                name="accounts_invitation_one_open_per_email",
                condition=Q(accepted_at=None, revoked_at=None),
            ),
            models.CheckConstraint(
                name="accounts_invitation_role_is_known", condition=Q(role__in=Role.values)
            ),
            models.CheckConstraint(
                name="accounts_invitation_accepted_at_iff_accepted_by",
                condition=Q(accepted_at=None, accepted_by=None)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False),
            ),
            models.CheckConstraint(
                name="accounts_invitation_ends_once",
                condition=Q(accepted_at=None) | Q(revoked_at=None),
            ),
            models.CheckConstraint(
                name="accounts_invitation_expires_after_it_was_sent",
                condition=Q(expires_at__gt=F("created_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} → {self.customer}"

    @property
    def rights(self) -> str:
        return str(RIGHTS[Role(self.role)])
