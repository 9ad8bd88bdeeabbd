"""
Who acts for customers: members, invitations and API keys, and what staff may do about them.
"""

from copy import copy
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.decorators import display

from accounts import api_keys, members, queries
from accounts.forms import InvitationForm, RoleForm
from accounts.models import ApiKey, Customer, Invitation, Member
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    NOTHING,
    Command,
    DayRangeFilter,
    DressedForm,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    address,
    badge,
    link,
    offered,
    stamp,
)

LATEST = 20


class InviteForm(DressedForm, InvitationForm):
    """
    Whom to invite as what, for staff: as one of `roles`.
    """

    def __init__(self, *args, roles: list[str], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        offered = self.fields["role"].choices
        self.fields["role"].choices = [one for one in offered if one[0] in roles]
        if len(roles) < len(offered):
            self.fields["role"].help_text = _(
                "More than a viewer is invited by the customer's owner or an administrator."
            )


class MemberRoleForm(DressedForm, RoleForm):
    """
    A member's role, for staff.
    """


def people_of(customer: Customer) -> str:
    return f"{address(customer)}?tab=people"


def people_around(row: Member | Invitation | ApiKey) -> str:
    return people_of(row.customer)


def invite(request: HttpRequest, customer: Customer, cleaned: dict) -> str:
    sent = members.invite(customer_id=customer.pk, at=timezone.now(), by=request.user, **cleaned)
    return _("Invitation sent to %(email)s.") % {"email": sent.email}


def change_role(request: HttpRequest, member: Member, cleaned: dict) -> str:
    done = members.change_role(
        member_id=member.pk, role=cleaned["role"], at=timezone.now(), by=request.user
    )
    told = {"person": done.user, "role": done.get_role_display()}
    return _("%(person)s is now: %(role)s.") % told


def remove(request: HttpRequest, member: Member, cleaned: dict) -> str:
    members.remove(member_id=member.pk, at=timezone.now(), by=request.user)
    return _("%(person)s was removed.") % {"person": member.user}


def revoke_invitation(request: HttpRequest, invitation: Invitation, cleaned: dict) -> str:
    members.revoke(invitation_id=invitation.pk, at=timezone.now(), by=request.user)
    return _("The invitation was revoked.")


def revoke_key(request: HttpRequest, key: ApiKey, cleaned: dict) -> str:
    api_keys.revoke(api_key_id=key.pk, at=timezone.now(), by=request.user)
    return _("The key “%(name)s” was revoked.") % {"name": key.name}


INVITE = Command(
    name="invite",
    label=gettext_lazy("Invite a member"),
    permission="accounts.add_invitation",
    form=InviteForm,
    given=lambda request, customer: {"roles": queries.roles_to_offer(request.user, customer.pk)},
    run=invite,
    text=gettext_lazy(
        "We mail a link to this address. Only whoever reads mail there can accept, within 7 days."
    ),
    icon="user-plus",
    quiet=True,
    fits=lambda request, customer: customer.status != Customer.Status.CLOSED,
    guard=fresh_proof_required,
    back=people_of,
)
CHANGE_ROLE = Command(
    name="role",
    label=gettext_lazy("Change role"),
    permission="accounts.change_member",
    form=MemberRoleForm,
    given=lambda request, member: {"instance": copy(member)},
    parts=lambda request, member: [member_facts(member)],
    run=change_role,
    icon="edit",
    guard=fresh_proof_required,
    back=people_around,
)
REMOVE = Command(
    name="remove",
    label=gettext_lazy("Remove member"),
    permission="accounts.delete_member",
    parts=lambda request, member: [member_facts(member)],
    run=remove,
    text=gettext_lazy("They see the wallet no more. Everything they did stays on record."),
    icon="trash",
    dangerous=True,
    quiet=True,
    guard=fresh_proof_required,
    back=people_around,
)
REVOKE_INVITATION = Command(
    name="revoke",
    label=gettext_lazy("Revoke invitation"),
    permission="accounts.change_invitation",
    parts=lambda request, invitation: [invitation_facts(invitation)],
    run=revoke_invitation,
    text=gettext_lazy("The link in the mail opens nothing any more."),
    icon="ban",
    dangerous=True,
    fits=lambda request, invitation: not (invitation.accepted_at or invitation.revoked_at),
    back=people_around,
)
REVOKE_KEY = Command(
    name="revoke",
    label=gettext_lazy("Revoke API key"),
    permission="accounts.change_apikey",
    parts=lambda request, key: [key_facts(key)],
    run=revoke_key,
    text=gettext_lazy("Programs that use it are refused at once. This cannot be undone."),
    icon="ban",
    dangerous=True,
    fits=lambda request, key: key.revoked_at is None,
    back=people_around,
)


def people(request: HttpRequest, customer: Customer) -> list[Part]:
    """
    Return who acts for a customer: the tab on its page.
    """
    now = timezone.now()
    team = Member.objects.filter(customer=customer).select_related("user").order_by("pk")
    invitations = (
        Invitation.objects.filter(customer=customer).select_related("invited_by").order_by("-pk")
    )
    keys = ApiKey.objects.filter(customer=customer).select_related("created_by").order_by("-pk")
    return [
        Table(
            title=_("Members"),
            headers=[
                _("User"),
                _("E-mail"),
                _("Role"),
                _("Member since"),
                _("Signs in"),
                _("Acts"),
            ],
            rows=[
                (
                    link(one.user),
                    one.user.email,
                    one.get_role_display(),
                    stamp(one.created_at, "day"),
                    _("Yes") if one.user.is_active else _("No"),
                    _acts(request, one, CHANGE_ROLE, REMOVE),
                )
                for one in team
            ],
            empty=_("Nobody acts for this customer."),
        ),
        Table(
            title=_("Invitations"),
            headers=[_("E-mail"), _("Role"), _("Invited by"), _("Sent at"), _("State"), _("Acts")],
            rows=[
                (
                    one.email,
                    one.get_role_display(),
                    str(one.invited_by),
                    stamp(one.created_at),
                    invitation_state(one, now),
                    _acts(request, one, REVOKE_INVITATION),
                )
                for one in invitations[:LATEST]
            ],
            empty=_("Nobody was invited."),
        ),
        Table(
            title=_("API keys"),
            headers=[
                _("Key"),
                _("Scopes"),
                _("Made by"),
                _("Expires"),
                _("Last used"),
                _("State"),
                _("Acts"),
            ],
            rows=[
                (
                    link(one),
                    ", ".join(one.scopes),
                    str(one.created_by or "—"),
                    stamp(one.expires_at, "day"),
                    stamp(one.last_used_at),
                    key_state(one, now),
                    _acts(request, one, REVOKE_KEY),
                )
                for one in keys[:LATEST]
            ],
            empty=_("No program acts for this customer."),
        ),
    ]


def _acts(request: HttpRequest, row: Member | Invitation | ApiKey, *commands: Command):
    """
    Link to what this person may do about a row.
    """
    links = [(address(row, one.name), one.label) for one in offered(request, row, commands)]
    shown = format_html_join("", '<a href="{}">{}</a>', links)
    return format_html('<span class="row-acts">{}</span>', shown) if links else NOTHING


def member_facts(member: Member) -> Facts:
    return Facts(
        title=_("Member"),
        rows=[
            (_("User"), link(member.user)),
            (_("E-mail"), member.user.email),
            (_("Customer"), link(member.customer)),
            (_("Role"), member.get_role_display()),
            (_("Member since"), stamp(member.created_at)),
        ],
    )


def invitation_facts(invitation: Invitation) -> Facts:
    return Facts(
        title=_("Invitation"),
        rows=[
            (_("E-mail"), invitation.email),
            (_("Customer"), link(invitation.customer)),
            (_("Role"), invitation.get_role_display()),
            (_("State"), invitation_state(invitation, timezone.now())),
            (_("Invited by"), link(invitation.invited_by)),
            (_("Sent at"), stamp(invitation.created_at)),
            (_("Expires"), stamp(invitation.expires_at)),
        ],
    )


def key_facts(key: ApiKey) -> Facts:
    """
    Show what is known of a key; its token nobody can read, its hash nobody needs.
    """
    return Facts(
        title=_("API key"),
        rows=[
            (_("Key"), str(key)),
            (_("Customer"), link(key.customer)),
            (_("Scopes"), ", ".join(key.scope_labels)),
            (_("State"), key_state(key, timezone.now())),
            (_("Made by"), link(key.created_by)),
            (_("Created at"), stamp(key.created_at)),
            (_("Expires"), stamp(key.expires_at)),
            (_("Last used"), stamp(key.last_used_at)),
        ],
    )


def invitation_state(invitation: Invitation, now: datetime) -> SafeString:
    if invitation.accepted_at:
        return badge("DONE", pgettext("state of an invitation", "Accepted"))
    if invitation.revoked_at:
        return badge("REVOKED", _("Revoked"))
    if invitation.expires_at <= now:
        return badge("EXPIRED", _("Expired"))
    return badge("INVITED", _("Not accepted yet"))


def key_state(key: ApiKey, now: datetime) -> SafeString:
    if key.revoked_at:
        return badge("REVOKED", _("Revoked"))
    return badge("EXPIRED", _("Expired")) if key.expires_at <= now else badge("VALID", _("Valid"))


class PeopleAdmin(ReadOnlyAdmin):
    """
    What the pages about a customer's people have in common.
    """

    ordering = ["-pk"]

    @display(description=gettext_lazy("customer"))
    def owner(self, row: Member | Invitation | ApiKey):
        return link(row.customer)


@admin.register(Member)
class MemberAdmin(PeopleAdmin):
    list_display = ["__str__", "email", "owner", "role", "since"]
    list_filter = ["role", ("created_at", DayRangeFilter)]
    list_select_related = ["user", "customer"]
    search_fields = ["user__email", "user__name", "=customer__number", "customer__name"]
    commands = [CHANGE_ROLE, REMOVE]

    @display(description=gettext_lazy("e-mail"), ordering="user__email")
    def email(self, member: Member):
        return member.user.email

    @display(description=gettext_lazy("member since"), ordering="created_at")
    def since(self, member: Member):
        return stamp(member.created_at, "day")

    def parts(self, request: HttpRequest, member: Member) -> list[Part]:
        return [member_facts(member)]


@admin.register(Invitation)
class InvitationAdmin(PeopleAdmin):
    list_display = ["email", "owner", "role", "state", "sender", "sent"]
    list_filter = ["role", ("created_at", DayRangeFilter)]
    list_select_related = ["customer", "invited_by"]
    search_fields = ["email", "=customer__number", "customer__name"]
    commands = [REVOKE_INVITATION]

    @display(description=gettext_lazy("state"))
    def state(self, invitation: Invitation):
        return invitation_state(invitation, timezone.now())

    @display(description=gettext_lazy("Invited by"), ordering="invited_by__email")
    def sender(self, invitation: Invitation):
        return str(invitation.invited_by)

    @display(description=gettext_lazy("sent"), ordering="created_at")
    def sent(self, invitation: Invitation):
        return stamp(invitation.created_at)

    def parts(self, request: HttpRequest, invitation: Invitation) -> list[Part]:
        return [invitation_facts(invitation)]


@admin.register(ApiKey)
class ApiKeyAdmin(PeopleAdmin):
    list_display = ["__str__", "owner", "state", "made_by", "expires", "last_used"]
    list_filter = [("expires_at", DayRangeFilter)]
    list_select_related = ["customer", "created_by"]
    search_fields = ["name", "=prefix", "=customer__number", "customer__name"]
    search_help_text = gettext_lazy("Name, eight letters after crm_, or customer")
    commands = [REVOKE_KEY]

    @display(description=gettext_lazy("state"))
    def state(self, key: ApiKey):
        return key_state(key, timezone.now())

    @display(description=gettext_lazy("created by"))
    def made_by(self, key: ApiKey):
        return str(key.created_by or "—")

    @display(description=gettext_lazy("expires"), ordering="expires_at")
    def expires(self, key: ApiKey):
        return stamp(key.expires_at, "day")

    @display(description=gettext_lazy("last used"), ordering="last_used_at")
    def last_used(self, key: ApiKey):
        return stamp(key.last_used_at)

    def parts(self, request: HttpRequest, key: ApiKey) -> list[Part]:
        return [key_facts(key)]
