"""
How a story looks at a wallet: in full, in words one can compare at a glance.
"""

import time
from collections.abc import Callable

from accounts.models import Customer
from crm_billing.money import from_minor, plain
from wallet import books, queries
from wallet.models import JournalEntry, Lot, Posting, Receipt


def wallet(customer: Customer, currency: str = "CNY") -> dict[str, str]:
    """
    Return all that a wallet page says of a customer's money.
    """
    balance = queries.balance(customer, currency)
    return {
        name: str(getattr(balance, name).amount)
        for name in ("principal", "bonus", "held", "available")
    }


def holding(principal: str, bonus: str = "0.00", *, held: str = "0.00", available: str) -> dict:
    return {"principal": principal, "bonus": bonus, "held": held, "available": available}


def entries(customer: Customer) -> list[tuple[str, dict[str, str]]]:
    """
    Return every entry of a customer, oldest first: its kind, and account -> signed amount.

    Debit is positive, credit negative: what we owe the customer grows by a credit.
    """
    found = JournalEntry.objects.filter(customer=customer).order_by("pk")
    return [(entry.kind, lines(entry)) for entry in found]


def lines(entry: JournalEntry) -> dict[str, str]:
    postings = Posting.objects.filter(entry=entry).select_related("account").order_by("pk")
    return {posting.account.kind: signed(posting) for posting in postings}


def signed(posting: Posting) -> str:
    amount = plain(from_minor(posting.amount_minor, posting.currency))
    return amount if posting.amount_minor < 0 else f"+{amount}"


def lots(customer: Customer) -> list[tuple[str, str]]:
    """
    Return what is left of each of a customer's lots, oldest first.
    """
    found = Lot.objects.filter(customer=customer).order_by("granted_at", "pk")
    return [(lot.kind, str(lot.remaining.amount)) for lot in found]


def receipts(customer: Customer) -> list[tuple[str, str, str]]:
    """
    Return every receipt's amount, bonus and balance after.
    """
    return [
        (plain(one.amount), plain(one.bonus) if one.bonus else "", plain(one.balance_after))
        for one in Receipt.objects.filter(customer=customer).order_by("serial")
    ]


def books_prove() -> bool:
    """
    Tell whether every invariant holds; sealing is not part of the stories.
    """
    found = {code for code, rows in books.violations().items() if rows}
    return found <= {"I24"}


def eventually(true: Callable[[], bool], *, seconds: float = 60) -> bool:
    """
    Wait until something has become true, which other threads are at.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
