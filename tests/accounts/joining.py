"""
People who come to act for a customer.
"""

from accounts import members
from accounts.models import Member
from tests.factories import NOON, owner_of


def invite(customer, email="new@example.com", role="FINANCE", at=NOON, by=None):
    return members.invite(
        customer_id=customer.pk, email=email, role=role, at=at, by=by or owner_of(customer)
    )


def member(customer, user):
    return Member.objects.get(customer=customer, user=user)
