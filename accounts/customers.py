"""
Commands that open, change and freeze customers.
"""

from datetime import datetime

from django.db import connection, transaction

from accounts.models import Customer, Member, User
from crm_billing.errors import DomainError


class CustomerFrozen(DomainError):
    code = "customer_frozen"


@transaction.atomic
def open(
    *,
    name: str,
    owner_email: str,
    at: datetime,
    kind: str = Customer.Kind.COMPANY,
    locale: str = "zh-hans",
    time_zone: str = "Asia/Shanghai",
    currency: str = "CNY",
) -> Customer:
    """
    Open a customer with its first owner.

    The owner's user is made without a password when the address is new; they set one by
    "forgot password", which also proves the address.

    at: aware moment the relationship began, may be in the past.
    currency: ISO code of the customer's wallet.
    raises ValidationError: a field is malformed.
    """
    customer = Customer(
        number=_next_number(),
        name=name.strip(),
        kind=kind,
        locale=locale,
        time_zone=time_zone,
        currency=currency,
        contact_email=owner_email.lower(),
        opened_at=at,
    )
    customer.full_clean()
    customer.save()
    owner = User.objects.filter(email__iexact=owner_email).first()
    if owner is None:
        owner = User.objects.create_user(owner_email, locale=locale, date_joined=at)
    Member.objects.create(user=owner, customer=customer, role=Member.Role.OWNER, created_at=at)
    return customer


def _next_number() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('accounts_customer_number')")
        (serial,) = cursor.fetchone()
    return f"C{serial:08d}"
