"""
The wallet as staff see it: the ledger to read, top-ups to follow, cases and corrections to decide.
"""

from wallet.admin import (
    adjustments,
    books,
    cases,
    credit,
    customers,
    gateways,
    ledger,
    policies,
    reminders,
    topups,
)

__all__ = [
    "adjustments",
    "books",
    "cases",
    "credit",
    "customers",
    "gateways",
    "ledger",
    "policies",
    "reminders",
    "topups",
]
