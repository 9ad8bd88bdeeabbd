"""
Which ledger accounts there are: a customer's pots, and the issuer's own of each kind.
"""

from django.db import connection

from accounts.models import Customer
from wallet.models import LedgerAccount

Kind = LedgerAccount.Kind

# a debit adds to what we own or spent, a credit to what we owe or earned
DEBIT_KINDS = {Kind.DEBT, Kind.CLEARING, Kind.BONUS_COST}


def wallet_accounts(customer: Customer, currency: str) -> dict[str, LedgerAccount]:
    """
    Return a customer's PRINCIPAL, BONUS and DEBT accounts of one currency, opened at first need.
    """
    kinds = (Kind.PRINCIPAL, Kind.BONUS, Kind.DEBT)
    found = _wallet(customer, currency, kinds)
    if len(found) < len(kinds):
        for kind in kinds:
            _open(kind, currency, f"W:{customer.number}:{currency}:{kind}", customer.pk)
        found = _wallet(customer, currency, kinds)
    return found


def _wallet(customer: Customer, currency: str, kinds: tuple) -> dict[str, LedgerAccount]:
    accounts = LedgerAccount.objects.filter(customer=customer, currency=currency, kind__in=kinds)
    return {account.kind: account for account in accounts}


def system(kind: str, currency: str, detail: str = "") -> LedgerAccount:
    """
    Return one of the issuer's own accounts, opened at first need.

    kind: CLEARING (one per gateway: `detail` is its code), BONUS_COST, SPENT, EXPIRED,
    ADJUSTMENT or SUSPENSE.
    """
    code = ":".join(part for part in ("SYS", kind, detail, currency) if part)
    account = LedgerAccount.objects.filter(code=code).first()
    if account is None:
        _open(Kind(kind), currency, code, None)
        account = LedgerAccount.objects.get(code=code)
    return account


def _open(kind: Kind, currency: str, code: str, customer_id: int | None) -> None:
    start = None if customer_id is None else 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO wallet_ledgeraccount (
                book, code, kind, currency, sign, customer_id,
                balance_minor, held_minor, minimum_minor, version
            )
            VALUES ('WALLET', %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            [
                code,
                kind.value,
                currency,
                1 if kind in DEBIT_KINDS else -1,
                customer_id,
                start,
                start,
                start,
                start,
            ],
        )
