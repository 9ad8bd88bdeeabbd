"""
What tests of top-ups start from.
"""

from datetime import timedelta

from django.utils import timezone
from djmoney.money import Money

from tests.factories import open_customer
from wallet import payments, queries, topups
from wallet.models import (
    TopUp,
)


def cny(amount: str | int) -> Money:
    return Money(amount, "CNY")


def now():
    return timezone.now().replace(microsecond=0)


def started(customer=None, amount="100.00", *, at=None, by=None, **fields):
    """
    Return a new top-up nobody has sent to the gateway yet.
    """
    customer = customer or open_customer()
    return topups.start(
        customer=customer, amount=cny(amount), gateway="sandbox", at=at or now(), by=by, **fields
    )


def submitted(customer=None, amount="100.00", *, at=None, **fields):
    """
    Return a top-up whose order is open at the gateway.
    """
    topup = started(customer, amount, at=at, **fields)
    payments.submit(attempt_id=topup.attempts.get().pk, at=at or now())
    topup.refresh_from_db()
    return topup


def deliver(callback, *, at=None, gateway="sandbox"):
    """
    Hand a signed callback to the inbox as the view does.
    """
    return payments.receive(
        gateway=gateway, body=callback.body, headers=callback.headers, at=at or now()
    )


def later(moment, **span):
    return moment + timedelta(**span)


def fresh(topup: TopUp) -> tuple[str, str]:
    """
    Return the states of a top-up and its last attempt as they are now.
    """
    topup.refresh_from_db()
    return topup.state, topup.attempts.last().state


def available(topup: TopUp) -> Money:
    return queries.balance(topup.customer).available
