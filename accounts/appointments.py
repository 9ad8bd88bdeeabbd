"""
Commands that make people staff, give them roles, and end it.
"""

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import queries
from accounts import roles as staff_roles
from accounts.customers import NotAllowed
from accounts.models import Member, User
from crm_billing.errors import DomainError


class AlreadyStaff(DomainError):
    code = "already_staff"


class IsMember(DomainError):
    code = "is_member"


class NotStaff(DomainError):
    code = "not_staff"


class NoSuchRole(DomainError):
    code = "no_such_role"


class OwnAccount(DomainError):
    code = "own_account"


@transaction.atomic
def appoint(
    *, email: str, name: str, roles: Collection[str], at: datetime, by: User, locale: str = ""
) -> User:
    """
    Make somebody staff; a new address becomes a user without a password.

    They set a password by "forgot password", which also proves the address, and a second factor
    before the admin lets them in. Who has a name and a language keeps them.

    raises NotAllowed: `by` may not add users.
    raises IsMember: the address belongs to somebody who acts for a customer.
    raises AlreadyStaff: the address belongs to one of the staff.
    raises NoSuchRole: a role is none of `accounts.roles`.
    raises ValidationError: a field is malformed.
    """
    _require(by, "accounts.add_user")
    groups = _groups(roles)
    email = email.strip()
    people = list(queries.people_at(email).select_for_update(of=["self"]).order_by("pk"))
    user = next((person for person in people if person.email.lower() == email.lower()), None)
    if user is None:
        user = User(email=email.lower(), date_joined=at)
        user.set_unusable_password()
    elif user.is_staff:
        raise AlreadyStaff(_("This person is one of the staff already."), field="email")
    if Member.objects.filter(user__in=people).exists():
        raise IsMember(
            _("This person acts for a customer. Use another address of theirs."), field="email"
        )
    user.is_staff = True
    user.name, user.locale = user.name or name.strip(), user.locale or locale
    user.full_clean(exclude=["password"])
    user.save()
    user.groups.set(groups)
    return user


@transaction.atomic
def assign(*, user_id: int, roles: Collection[str], at: datetime, by: User) -> User:
    """
    Give one of the staff exactly these roles; none leaves them able to look at nothing.

    raises NotAllowed: `by` may not change users, or only a superuser may change this one.
    raises OwnAccount: nobody sets their own roles.
    raises NotStaff, NoSuchRole: as they say.
    """
    user = _lock(user_id, by)
    if not user.is_staff:
        raise NotStaff(_("This person is not one of the staff."))
    user.groups.set(_groups(roles))
    return user


@transaction.atomic
def dismiss(*, user_id: int, at: datetime, by: User) -> User:
    """
    End somebody's being staff; what they are to customers stays.

    raises NotAllowed, OwnAccount, NotStaff: as `assign`.
    """
    user = _lock(user_id, by)
    if not user.is_staff:
        raise NotStaff(_("This person is not one of the staff."))
    user.groups.clear()
    user.is_staff = user.is_superuser = False
    user.save(update_fields=["is_staff", "is_superuser"])
    return user


@transaction.atomic
def set_active(*, user_id: int, active: bool, at: datetime, by: User) -> User:
    """
    Let somebody sign in, or no longer: their sessions and keys end with the next request.

    raises NotAllowed, OwnAccount: as `assign`.
    """
    user = _lock(user_id, by)
    if user.is_active != active:
        user.is_active = active
        user.save(update_fields=["is_active"])
    return user


def appointers() -> list[User]:
    """
    Return the staff who may give others their roles.
    """
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("pk")
    return [one for one in staff if one.has_perm("accounts.change_user")]


def _lock(user_id: int, by: User) -> User:
    _require(by, "accounts.change_user")
    user = User.objects.select_for_update(of=["self"]).get(pk=user_id)
    if user.pk == by.pk:
        raise OwnAccount(_("Ask somebody else to change your own account."))
    if user.is_superuser and not by.is_superuser:
        raise NotAllowed(_("Only a superuser may change this account."))
    return user


def _groups(roles: Collection[str]) -> list[Group]:
    if unknown := set(roles) - staff_roles.ACTS.keys():
        raise NoSuchRole(_("Choose one of the roles."), field="roles", unknown=sorted(unknown))
    return list(Group.objects.filter(name__in=roles))


def _require(by: User, permission: str) -> None:
    if not (by.is_active and by.is_staff and by.has_perm(permission)):
        raise NotAllowed(_("You may not do this."), permission=permission)
