"""
The customers of the demo and the people who can sign in, and where their log-ins are told.
"""

import json
import os
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction

from accounts import customers, roles
from accounts.models import Customer, Member, User
from crm_billing import embedded
from crm_billing.demo import cast

FILE = "demo.json"
OWNER = f"owner@{cast.DOMAIN}"

# address before @, name, role in the first customer
MEMBERS = (
    ("owner", "周雨桐", Member.Role.OWNER),
    ("finance", "钱思思", Member.Role.FINANCE),
    ("viewer", "冯浩", Member.Role.VIEWER),
)
STAFF = (
    ("support", "客服 小林", (roles.SUPPORT,)),
    ("maker", "财务 小吴", (roles.FINANCE_MAKER,)),
    ("checker", "财务 老郑", (roles.FINANCE_CHECKER,)),
    ("admin", "管理员", (roles.ADMIN,)),
)


def are_there() -> bool:
    """
    Tell whether a demo was made here before, whole or in part.
    """
    return User.objects.filter(email__iexact=OWNER).exists()


@transaction.atomic
def enter(count: int, *, at: datetime) -> list[Customer]:
    """
    Open the customers and make the log-ins; the first customer is the one they belong to.
    """
    password = make_password(cast.PASSWORD)
    opened = [_open(place, at) for place in range(count)]
    for name, called, role in MEMBERS:
        user = _log_in(f"{name}@{cast.DOMAIN}", called, password, at)
        Member.objects.get_or_create(
            user=user, customer=opened[0], defaults={"role": role, "created_at": at}
        )
    if len(opened) > 1:  # somebody of two customers, to have one to switch to
        owner = User.objects.get(email__iexact=OWNER)
        Member.objects.create(
            user=owner, customer=opened[1], role=Member.Role.VIEWER, created_at=at
        )
    for name, called, groups in STAFF:
        user = _log_in(f"{name}@{cast.DOMAIN}", called, password, at)
        user.is_staff = True
        user.save(update_fields=["is_staff"])
        user.groups.set(Group.objects.filter(name__in=groups))
        if settings.DEMO:
            TOTP.activate(user, cast.TOTP_SECRET)
            RecoveryCodes.activate(user)
    return opened


def staff(name: str) -> User:
    """
    Return one of STAFF by the word before the @.
    """
    return User.objects.get(email__iexact=f"{name}@{cast.DOMAIN}")


def tell() -> dict:
    """
    Write demo.json, which `manage.py portal` prints from; only its owner may read it.
    """
    logins = [
        _told(f"{name}@{cast.DOMAIN}", f"{called}, {role.lower()}")
        for name, called, role in MEMBERS
    ]
    logins += [
        _told(f"{name}@{cast.DOMAIN}", f"{called}, staff: {', '.join(groups)}", factor=True)
        for name, called, groups in STAFF
    ]
    told = {"address": settings.SITE_URL, "totp_secret": cast.TOTP_SECRET, "logins": logins}
    path = embedded.home() / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=2)
        file.write("\n")
    return told


def _open(place: int, at: datetime) -> Customer:
    part = cast.part(place)
    email = OWNER if place == 0 else f"pay@{part.slug}.{cast.DOMAIN}"
    customer = customers.open(
        name=part.name,
        owner_email=email,
        at=at,
        kind=part.kind,
        locale=part.locale,
        time_zone=part.time_zone,
        currency=part.currency,
    )
    return customers.change(
        customer_id=customer.pk,
        at=at,
        by=None,
        contact_name=part.contact,
        tax_title=part.name if part.kind == Customer.Kind.COMPANY else "",
    )


def _log_in(email: str, name: str, password: str, at: datetime) -> User:
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, date_joined=at)
    user.name, user.password = name, password
    user.save(update_fields=["name", "password"])
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    return user


def _told(email: str, who: str, *, factor: bool = False) -> dict:
    login: dict = {"who": who, "email": email, "password": cast.PASSWORD}
    if factor:
        kept = Authenticator.objects.filter(
            user__email__iexact=email, type=Authenticator.Type.RECOVERY_CODES
        ).first()
        login["recovery_codes"] = kept.wrap().get_unused_codes()[:3] if kept else []
    return login
