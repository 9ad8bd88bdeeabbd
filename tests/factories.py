"""
Rows a test starts from. People and catalogue rows are built directly;
money only ever arrives through the ledger, so every test starts with honest books.
"""

import itertools
import time
from datetime import UTC, datetime, timedelta

import factory
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import Group
from django.test import Client
from djmoney.money import Money
from factory.django import DjangoModelFactory

from accounts import customers
from accounts.models import Customer, Member, User
from wallet import lots, queries

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

_serial = itertools.count(1)

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


# Money


def cny(amount: str | int) -> Money:
    return Money(amount, "CNY")


def fund(customer: Customer, principal: str = "100.00", *, bonus: str = "", at=NOON) -> Customer:
    """
    Credit a customer's wallet as goodwill; `bonus` comes with 30 days to live.
    """
    lots.grant(
        customer=customer,
        amount=cny(principal),
        kind="PRINCIPAL",
        origin="GOODWILL",
        reference=f"fund:{customer.pk}:{next(_serial)}",
        at=at,
    )
    if bonus:
        lots.grant(
            customer=customer,
            amount=cny(bonus),
            kind="BONUS",
            origin="PROMOTION",
            reference=f"fund:{customer.pk}:{next(_serial)}",
            at=at,
            expires_at=at + timedelta(days=30),
        )
    return customer


def funded_customer(principal: str = "100.00", *, bonus: str = "", **fields) -> Customer:
    """
    Return a new customer with money in its wallet.
    """
    return fund(open_customer(**fields), principal, bonus=bonus)


def balances(customer: Customer) -> tuple[str, str, str]:
    """
    Return principal, bonus and held as plain decimals, for one-line assertions.
    """
    now = queries.balance(customer)
    return tuple(str(part.amount) for part in (now.principal, now.bonus, now.held))
