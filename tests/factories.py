"""
Rows a test starts from. People and catalogue rows are built directly;
money only ever arrives through the ledger, so every test starts with honest books.
"""

import time
from datetime import UTC, datetime

import factory
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import Group
from django.test import Client
from factory.django import DjangoModelFactory

from accounts import customers
from accounts.models import Customer, Member, User

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

# People


class UserFactory(DjangoModelFactory):
    """
    A person with PASSWORD and a proved address.
    """

    email = factory.Sequence("person{}@example.com".format)
    date_joined = NOON

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class, *args, **fields) -> User:
        user = model_class.objects.create_user(password=PASSWORD, **fields)
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        return user


def open_customer(name: str = "晨星科技", *, owner: User | None = None, **fields) -> Customer:
    """
    Return a new customer with an owner who can sign in.
    """
    owner = owner or UserFactory()
    return customers.open(name=name, owner_email=owner.email, at=fields.pop("at", NOON), **fields)


def owner_of(customer: Customer) -> User:
    return User.objects.get(memberships__customer=customer, memberships__role=Member.Role.OWNER)


def member_of(customer: Customer, role: str = Member.Role.VIEWER, **fields) -> User:
    """
    Return a new user who acts for `customer`.
    """
    user = UserFactory(**fields)
    Member.objects.create(user=user, customer=customer, role=role, created_at=NOON)
    return user


def staff(*roles: str, **fields) -> User:
    """
    Return one of the staff with an authenticator app, in these groups of `accounts.roles`.
    """
    user = UserFactory(is_staff=True, **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    give_second_factor(user)
    return user


def give_second_factor(user: User) -> None:
    TOTP.activate(user, TOTP_SECRET)
    RecoveryCodes.activate(user)


def totp_code(*, steps: int = 0) -> str:
    """
    Return the code an authenticator app shows now (or so many half minutes later).
    """
    return format_hotp_value(hotp_value(TOTP_SECRET, int(time.time()) // 30 + steps))


def sign_in_staff(client: Client, user: User, *, recently: bool = True) -> Client:
    """
    Sign staff in as allauth leaves them after password and code.

    recently: they have just proved themselves again, as money actions ask.
    """
    client.force_login(user)
    at = time.time()
    records = [{"method": "password", "at": at}, {"method": "mfa", "at": at, "type": "totp"}]
    if recently:
        records.append({"method": "mfa", "at": at, "type": "totp", "reauthenticated": True})
    session = client.session
    session["account_authentication_methods"] = records
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client
