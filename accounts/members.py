"""
Commands that bring people to a customer, change their roles and let them go.
"""

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts import customers, queries
from accounts.customers import NotAllowed
from accounts.models import Customer, Invitation, Member, User
from crm_billing import outbox
from crm_billing.errors import DomainError

LIFETIME = timedelta(days=7)
HOURLY_LIMIT = 20
DAILY_LIMIT = 50


class UnknownRole(DomainError):
    code = "unknown_role"


class AlreadyMember(DomainError):
    code = "already_member"


class AlreadyInvited(DomainError):
    code = "already_invited"


class TooManyInvitations(DomainError):
    code = "too_many_invitations"


class InvitationInvalid(DomainError):
    code = "invitation_invalid"


class InvitationForAnother(DomainError):
    code = "invitation_for_another"


class LastOwner(DomainError):
    code = "last_owner"


@transaction.atomic
def invite(*, customer_id: int, email: str, role: str, at: datetime, by: User) -> Invitation:
    """
    Offer a role by mail; the mail leaves after commit and carries the only copy of the token.

    An expired invitation to the same address makes room for the new one. Staff who may not change
    roles invite viewers only; the owners are told of whom staff invite.

    raises NotAllowed: `by` is neither owner nor staff with `accounts.add_invitation` and, for more
        than a viewer, `accounts.change_member`.
    raises CustomerClosed: the relationship is over.
    raises UnknownRole: `role` is none of Member.Role.
    raises StaffNoMember: the address belongs to one of the staff.
    raises AlreadyMember: the address belongs to a member.
    raises AlreadyInvited: an invitation to the address is open.
    raises TooManyInvitations: HOURLY_LIMIT were sent within an hour or DAILY_LIMIT within a day.
    raises ValidationError: the address is malformed.
    """
    customer = customers.lock(customer_id)
    _require_manager(by, customer_id, "accounts.add_invitation")
    if customer.status == Customer.Status.CLOSED:
        raise customers.CustomerClosed(_("This customer is closed."), number=customer.number)
    _require_role(role)
    if role not in queries.roles_to_offer(by, customer_id):
        raise NotAllowed(_("You may invite viewers only."), field="role", role=role)
    email = email.strip().lower()
    customers.require_no_staff(queries.people_at(email))
    if Member.objects.filter(customer=customer, user__email__iexact=email).exists():
        raise AlreadyMember(_("This person is a member already."), field="email", email=email)
    earlier = Invitation.objects.filter(customer=customer)
    earlier.open().filter(email__iexact=email, expires_at__lte=at).update(revoked_at=at)
    if earlier.open().filter(email__iexact=email).exists():
        raise AlreadyInvited(
            _("An invitation to this address is open already."), field="email", email=email
        )
    _require_few(earlier.filter(created_at__gt=at - timedelta(days=1)), at)

    invitation = Invitation(
        customer=customer,
        email=email,
        role=role,
        invited_by=by,
        created_at=at,
        expires_at=at + LIFETIME,
    )
    invitation.token_sha256 = _sha256(token_of(invitation))
    invitation.full_clean()
    invitation.save()
    outbox.put(
        topic="accounts.invitation",
        key=str(invitation.pk),
        payload={"invitation_id": invitation.pk},
        at=at,
    )
    _tell_owners("INVITED", invitation.pk, customer_id, email, role, at=at, by=by)
    return invitation


@transaction.atomic
def accept(*, invitation_id: int, at: datetime, by: User) -> Member:
    """
    Make the invited person a member. Only whoever has proved the invited address may accept.

    raises InvitationInvalid: accepted, revoked or expired before.
    raises InvitationForAnother: none of `by`'s verified addresses is the invited one.
    raises AlreadyMember: `by` joined another way meanwhile.
    raises StaffNoMember: `by` is one of the staff.
    """
    customer_id = Invitation.objects.values_list("customer_id", flat=True).get(pk=invitation_id)
    customer = customers.lock(customer_id)
    invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
    if invitation.email.lower() not in queries.verified_emails(by):
        raise InvitationForAnother(
            _("This invitation was sent to another e-mail address."), email=invitation.email
        )
    if not _still_open(invitation, at) or customer.status == Customer.Status.CLOSED:
        raise InvitationInvalid(_("This invitation is no longer valid."))
    if Member.objects.filter(customer=customer, user=by).exists():
        raise AlreadyMember(_("You are a member already."))
    customers.require_no_staff(User.objects.filter(pk=by.pk))
    invitation.accepted_at, invitation.accepted_by = at, by
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    return Member.objects.create(
        user=by, customer=customer, role=invitation.role, created_at=max(at, invitation.created_at)
    )


@transaction.atomic
def revoke(*, invitation_id: int, at: datetime, by: User) -> Invitation:
    """
    Take an open invitation back.

    raises NotAllowed: `by` is neither owner nor staff with `accounts.change_invitation`.
    raises InvitationInvalid: it was accepted or revoked before.
    """
    customer_id = Invitation.objects.values_list("customer_id", flat=True).get(pk=invitation_id)
    customers.lock(customer_id)
    _require_manager(by, customer_id, "accounts.change_invitation")
    invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
    if invitation.accepted_at or invitation.revoked_at:
        raise InvitationInvalid(_("This invitation is no longer valid."))
    invitation.revoked_at = at
    invitation.save(update_fields=["revoked_at"])
    return invitation


@transaction.atomic
def change_role(*, member_id: int, role: str, at: datetime, by: User) -> Member:
    """
    Give a member another role; the owners are told if staff do.

    raises NotAllowed: `by` is neither owner nor staff with `accounts.change_member`.
    raises UnknownRole: `role` is none of Member.Role.
    raises LastOwner: the customer would be left without an owner.
    """
    member = _lock_with_customer(member_id)
    _require_manager(by, member.customer_id, "accounts.change_member")
    _require_role(role)
    if member.role != role:
        _require_another_owner(member)
        _tell_owners("ROLE", member.pk, member.customer_id, member.user.email, role, at=at, by=by)
        member.role = role
        member.save(update_fields=["role"])
    return member


@transaction.atomic
def remove(*, member_id: int, at: datetime, by: User) -> None:
    """
    End a membership: an owner removes anybody, everybody may leave.

    Should staff do it, the owners are told, an owner they remove among them.

    raises NotAllowed: `by` is neither the member, nor owner, nor staff with
        `accounts.delete_member`.
    raises LastOwner: the customer would be left without an owner.
    """
    member = _lock_with_customer(member_id)
    if member.user_id != by.pk:
        _require_manager(by, member.customer_id, "accounts.delete_member")
    _require_another_owner(member)
    if member.user_id != by.pk:
        email, role = member.user.email, member.role
        _tell_owners("REMOVED", member.pk, member.customer_id, email, role, at=at, by=by)
    member.delete()


def find_invitation(token: str) -> Invitation | None:
    """
    Return the invitation a mail's token belongs to, open or not.
    """
    invitations = Invitation.objects.select_related("customer", "invited_by")
    return invitations.filter(token_sha256=_sha256(token)).first()


def token_of(invitation: Invitation) -> str:
    """
    Return the token for an invitation's mail: made from SECRET_KEY, so that no table holds it.
    """
    facts = f"{invitation.customer_id}:{invitation.email}:{invitation.created_at.timestamp()!r}"
    mac = salted_hmac("accounts.invitation", facts, algorithm="sha256")
    return urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _still_open(invitation: Invitation, at: datetime) -> bool:
    return (
        invitation.accepted_at is None
        and invitation.revoked_at is None
        and at < invitation.expires_at
    )


def _lock_with_customer(member_id: int) -> Member:
    customers.lock(Member.objects.values_list("customer_id", flat=True).get(pk=member_id))
    return Member.objects.select_related("user").select_for_update(of=["self"]).get(pk=member_id)


def _require_manager(by: User, customer_id: int, staff_permission: str) -> None:
    if not queries.may_manage(by, customer_id, staff_permission=staff_permission):
        raise NotAllowed(_("Only an owner may do this."))


def _require_role(role: str) -> None:
    if role not in Member.Role.values:
        raise UnknownRole(_("Choose one of the roles."), field="role", role=role)


def _tell_owners(
    what: str, row_id: int, customer_id: int, email: str, role: str, *, at: datetime, by: User
) -> None:
    """
    Have each owner told by mail what staff do about a customer's people; owners know what they do.
    """
    if queries.role_in(by, customer_id) == Member.Role.OWNER:
        return
    for owner in queries.owners(customer_id):
        key = f"{what}:{row_id}:{at.isoformat()}:{owner.pk}"
        fact = {"customer_id": customer_id, "what": what, "email": email, "role": role}
        outbox.put(
            topic="accounts.people_changed",
            key=key,
            payload=fact | {"owner_id": owner.pk, "key": key},
            at=at,
        )


def _require_few(sent_today: QuerySet[Invitation], at: datetime) -> None:
    """
    Refuse to be used for sending mails in bulk; the customer is locked, so the count is exact.
    """
    if sent_today.count() >= DAILY_LIMIT:
        raise TooManyInvitations(_("Too many invitations today. Please try again tomorrow."))
    if sent_today.filter(created_at__gt=at - timedelta(hours=1)).count() >= HOURLY_LIMIT:
        raise TooManyInvitations(
            _("%(count)s invitations were sent within an hour. Please try again a little later.")
            % {"count": HOURLY_LIMIT}
        )


def _require_another_owner(member: Member) -> None:
    if member.role != Member.Role.OWNER:
        return
    owners = Member.objects.filter(customer=member.customer_id, role=Member.Role.OWNER)
    if not owners.exclude(pk=member.pk).exists():
        raise LastOwner(_("Somebody must stay owner. Name another owner first."), field="role")
