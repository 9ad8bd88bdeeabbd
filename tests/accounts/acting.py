"""
People of a customer, as the tests of its pages ask for them.
"""

from django.utils import timezone

from accounts import customers, members
from accounts.models import Member
from tests.factories import owner_of


def details(customer, **changed):
    names = sorted(customers.CHANGEABLE)
    return {name: getattr(customer, name) for name in names} | changed


def invited(customer, email, at=None):
    return members.invite(
        customer_id=customer.pk,
        email=email,
        role="FINANCE",
        at=at or timezone.now(),
        by=owner_of(customer),
    )


def membership(customer, user):
    return Member.objects.get(customer=customer, user=user)
