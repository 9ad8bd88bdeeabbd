"""
Questions about people and what they may do. Nothing here writes.
"""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from accounts.models import Customer, Invitation, Member, User


def role_in(user: User | None, customer_id: int) -> str | None:
    """
    Return the person's role in a customer as the database has it now.
    """
    if user is None or not user.is_active:
        return None
    members = Member.objects.filter(user=user, customer_id=customer_id)
    return members.values_list("role", flat=True).first()


def may_manage(user: User | None, customer_id: int, *, staff_permission: str) -> bool:
    """
    Tell whether a person may change a customer: as its owner, or as staff with the permission.

    No person (None) is the house itself: commands run by the system.
    """
    if user is None or role_in(user, customer_id) == Member.Role.OWNER:
        return True
    return user.is_active and user.is_staff and user.has_perm(staff_permission)


def billing_emails(customer: Customer) -> list[str]:
    """
    Return who gets a customer's documents and notices: the billing address, or else its owners.
    """
    if customer.contact_email:
        return [customer.contact_email]
    return list(owners(customer.pk).values_list("email", flat=True))


def roles_to_offer(user: User | None, customer_id: int) -> list[str]:
    """
    Return as what a person may invite others: who may not change roles, as viewers only.
    """
    if may_manage(user, customer_id, staff_permission="accounts.change_member"):
        return list(Member.Role.values)
    return [Member.Role.VIEWER]


def people_at(email: str) -> QuerySet[User]:
    """
    Return whose address this is: what they sign in with, or another they have proved.
    """
    email = email.strip()
    proved = EmailAddress.objects.filter(email__iexact=email, verified=True).values("user")
    return User.objects.filter(Q(email__iexact=email) | Q(pk__in=proved))


def owners(customer_id: int) -> QuerySet[User]:
    """
    Return a customer's owners who can sign in, longest known first.
    """
    return User.objects.filter(
        memberships__customer=customer_id, memberships__role=Member.Role.OWNER, is_active=True
    ).order_by("pk")


def verified_emails(user: User) -> set[str]:
    """
    Return the addresses a person has proved to read, in lower case.
    """
    addresses = EmailAddress.objects.filter(user=user, verified=True)
    return {email.lower() for email in addresses.values_list("email", flat=True)}


def invitations_for(user: User, *, at: datetime) -> QuerySet[Invitation]:
    """
    Return the open invitations sent to an address this person has proved.
    """
    return (
        Invitation.objects.waiting(at)
        .exclude(customer__status=Customer.Status.CLOSED)
        .annotate(address=Lower("email"))
        .filter(address__in=verified_emails(user))
        .select_related("customer", "invited_by")
        .order_by("created_at")
    )
