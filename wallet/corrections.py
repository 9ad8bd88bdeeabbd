"""
What was proposed to correct in wallets before: the same correction is not made twice unawares.
"""

import re
from datetime import datetime, timedelta

from django.db.models import QuerySet
from djmoney.money import Money

from accounts.models import Customer
from wallet.models import Adjustment

LOOK_BACK = timedelta(days=90)  # a like proposal after that is hardly the same once more


def alike(
    *, customer: Customer, direction: str, amount: Money, at: datetime
) -> QuerySet[Adjustment]:
    """
    Return what was proposed for a customer in the LOOK_BACK before `at`, and since, in the same
    direction over the same amount, and was not rejected: it may be the same correction.
    """
    return _not_rejected(customer).filter(
        direction=direction,
        amount=amount.amount,
        amount_currency=amount.currency.code,
        proposed_at__gt=at - LOOK_BACK,
    )


def crediting_for(*, customer: Customer, number: str) -> list[Adjustment]:
    """
    Return the proposals to credit a customer, but for rejected ones, whose reason names an entry.

    number: what names it, see `names`.
    """
    found = _not_rejected(customer).filter(
        direction=Adjustment.Direction.CREDIT, reason__contains=number
    )
    return [one for one in found if names(one.reason, number)]


def names(reason: str, number: str) -> bool:
    """
    Tell whether a reason names this number and not only a longer one it is a part of.
    """
    alone = rf"(?<![A-Za-z0-9#:_-]){re.escape(number)}(?![A-Za-z0-9_-])"
    return re.search(alone, reason) is not None


def _not_rejected(customer: Customer) -> QuerySet[Adjustment]:
    known = Adjustment.objects.filter(customer=customer).exclude(state=Adjustment.State.REJECTED)
    return known.defer("attachment").order_by("-pk")
