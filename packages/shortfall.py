"""
What a wallet lacks for an amount, and the top-up that brings it.
"""

from datetime import datetime

from djmoney.money import Money

from accounts.models import Customer
from wallet import queries, topups


def missing(customer: Customer, due: Money) -> Money:
    """
    Return what a wallet lacks to pay an amount; zero when it can.
    """
    free = queries.balance(customer, str(due.currency)).available
    return max(due - free, due * 0)


def top_up_amount(customer: Customer, due: Money, *, at: datetime) -> Money:
    """
    Return what has to be topped up to pay an amount: what is missing, or the least that can be.

    raises WrongCurrency: top-ups in its currency are not offered.
    """
    return max(missing(customer, due), topups.limits(customer, at=at).smallest)
