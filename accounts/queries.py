"""
Questions about people and what they may do. Nothing here writes.
"""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db.models import QuerySet
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
    owners = User.objects.filter(
        memberships__customer=customer, memberships__role=Member.Role.OWNER, is_active=True
    )
    return list(owners.order_by("pk").values_list("email", flat=True))


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
