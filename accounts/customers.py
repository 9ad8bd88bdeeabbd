"""
Commands that open, change and freeze customers.
"""

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import queries
from accounts.models import Customer, Member, User
from crm_billing.errors import DomainError

CHANGEABLE = frozenset(
    {
        "name",
        "kind",
        "locale",
        "time_zone",
        "currency",
        "contact_name",
        "contact_email",
        "contact_phone",
        "address",
        "tax_title",
        "tax_number",
    }
)


class CustomerFrozen(DomainError):
    """
    The customer is frozen: it can read everything and move nothing.
    """

    code = "customer_frozen"


class CustomerClosed(DomainError):
    """
    The customer is closed.
    """

    code = "customer_closed"


class CustomerNotFrozen(DomainError):
    code = "customer_not_frozen"


class CurrencyFixed(DomainError):
    code = "currency_fixed"


class UnknownCurrency(DomainError):
    code = "unknown_currency"


class NotAllowed(DomainError):
    code = "not_allowed"


class StaffNoMember(DomainError):
    code = "staff_no_member"


class ReasonMissing(DomainError):
    code = "reason_missing"


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
    raises UnknownCurrency: we keep no wallets in that currency.
    raises StaffNoMember: the owner is one of the staff.
    raises ValidationError: a field is malformed.
    """
    _require_known(currency)
    require_no_staff(queries.people_at(owner_email))
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


@transaction.atomic
def change(*, customer_id: int, at: datetime, by: User | None, **fields: object) -> Customer:
    """
    Change a customer's details: any of CHANGEABLE.

    by: an owner, staff with `accounts.change_customer`, or None for the house itself.
    raises NotAllowed: `by` is neither.
    raises CustomerClosed: the relationship is over.
    raises CurrencyFixed: money has moved, so the currency stays.
    raises UnknownCurrency: we keep no wallets in that currency.
    raises ValidationError: a field is malformed.
    """
    if unknown := fields.keys() - CHANGEABLE:
        raise TypeError(f"not a customer's details: {sorted(unknown)}")
    customer = lock(customer_id)
    _require_manager(by, customer_id, "accounts.change_customer")
    _require_not_closed(customer)
    if fields.get("currency", customer.currency) != customer.currency:
        _require_known(str(fields["currency"]))
        if customer.currency_fixed_at:
            raise CurrencyFixed(
                _("The currency cannot change once money has moved."), currency=customer.currency
            )
    changed = [name for name, value in fields.items() if getattr(customer, name) != value]
    for name in changed:
        setattr(customer, name, fields[name])
    customer.full_clean()
    if changed:
        customer.save(update_fields=changed)
    return customer


def fix_currency(*, customer_id: int, at: datetime) -> None:
    """
    Let a customer's currency never change again; the wallet says so before the first money.
    """
    Customer.objects.filter(pk=customer_id, currency_fixed_at=None).update(currency_fixed_at=at)


@transaction.atomic
def freeze(*, customer_id: int, reason: str, at: datetime, by: User | None) -> Customer:
    """
    Stop a customer's money: they can read everything and move nothing.

    by: staff with `accounts.freeze_customer`, or None for the house itself.
    raises NotAllowed: `by` lacks the permission.
    raises ReasonMissing: nobody said why.
    raises CustomerFrozen, CustomerClosed: there is nothing to freeze.
    """
    customer = lock(customer_id)
    _require_freezer(by)
    require_active(customer)
    return _set_status(customer, Customer.Status.FROZEN, reason)


@transaction.atomic
def unfreeze(*, customer_id: int, reason: str, at: datetime, by: User | None) -> Customer:
    """
    Let a frozen customer's money move again.

    by: staff with `accounts.freeze_customer`, or None for the house itself.
    raises NotAllowed: `by` lacks the permission.
    raises ReasonMissing: nobody said why.
    raises CustomerNotFrozen: the customer is active or closed.
    """
    customer = lock(customer_id)
    _require_freezer(by)
    if customer.status != Customer.Status.FROZEN:
        raise CustomerNotFrozen(_("This customer is not frozen."), number=customer.number)
    return _set_status(customer, Customer.Status.ACTIVE, reason)


def lock(customer_id: int) -> Customer:
    """
    Lock a customer until the transaction ends: the first lock of every command.
    """
    return Customer.objects.select_for_update(no_key=True).get(pk=customer_id)


def require_no_staff(people: QuerySet[User]) -> None:
    """
    Refuse staff as members of a customer; keep the people locked, so that none becomes staff
    before the transaction ends.

    raises StaffNoMember: one of the people is one of the staff.
    """
    locked = people.select_for_update(of=["self"], no_key=True).order_by("pk")
    if any(person.is_staff for person in locked):
        raise StaffNoMember(
            _("One of our staff uses this address. Staff do not act for customers."), field="email"
        )


def require_active(customer: Customer) -> None:
    """
    Refuse customers whose money may not move.

    raises CustomerFrozen, CustomerClosed: as they say.
    """
    if customer.status == Customer.Status.FROZEN:
        raise CustomerFrozen(_("This customer is frozen; no money moves."), number=customer.number)
    _require_not_closed(customer)


def _require_not_closed(customer: Customer) -> None:
    if customer.status == Customer.Status.CLOSED:
        raise CustomerClosed(_("This customer is closed."), number=customer.number)


def _require_manager(by: User | None, customer_id: int, permission: str) -> None:
    if not queries.may_manage(by, customer_id, staff_permission=permission):
        raise NotAllowed(_("Only an owner may do this."))


def _require_freezer(by: User | None) -> None:
    if by is not None and not (by.is_staff and by.has_perm("accounts.freeze_customer")):
        raise NotAllowed(_("You may not freeze or unfreeze customers."))


def _require_known(currency: str) -> None:
    if currency not in settings.CURRENCIES:
        raise UnknownCurrency(_("We keep no wallets in this currency."), currency=currency)


def _set_status(customer: Customer, status: str, reason: str) -> Customer:
    if not reason.strip():
        raise ReasonMissing(_("Say why."))
    customer.status, customer.status_reason = status, reason.strip()
    changed = ["status", "status_reason"]
    # what else is wrong with the row keeps nobody from freezing it
    customer.full_clean(exclude={field.name for field in Customer._meta.fields} - set(changed))
    customer.save(update_fields=changed)
    return customer


def _next_number() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('accounts_customer_number')")
        (serial,) = cursor.fetchone()
    return f"C{serial:08d}"
