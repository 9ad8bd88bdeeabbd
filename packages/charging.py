"""
Taking one amount from a wallet for a subscription, and keeping with it all that explains it.

Renewals do the same for many at a time, in `outcomes`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from djmoney.money import Money

from accounts.models import User
from crm_billing import crash
from crm_billing.money import to_minor
from packages import periods
from packages.models import Charge, Subscription
from wallet import spending


def take(
    subscription: Subscription,
    amount: Money,
    *,
    kind: str,
    reference: str,
    description: str,
    lines: Sequence[Mapping[str, Any]],
    consent_id: int,
    period_number: int | None = None,
    price_version_id: int | None = None,
    at: datetime,
    by: User | None = None,
) -> Charge:
    """
    Post one deduction and its charge, in the caller's transaction.

    amount: above zero. kind: of Charge.Kind. lines: as `charges.frozen` writes them.
    period_number, price_version_id: the subscription's present ones unless named.
    raises InsufficientFunds, CustomerFrozen, MoneyFrozen: as the wallet refuses.
    """
    [entry] = spending.spend_many(
        [
            spending.Spend(
                customer_id=subscription.customer_id,
                amount=amount,
                reference=reference,
                description=description,
                by=by,
            )
        ],
        at=at,
    )
    crash.point("charge_after_post")
    return Charge.objects.create(
        customer_id=subscription.customer_id,
        kind=kind,
        subscription=subscription,
        period_number=period_number or subscription.period_number,
        price_version_id=price_version_id or subscription.price_version_id,
        entry=entry,
        consent_id=consent_id,
        currency=subscription.currency,
        amount_minor=to_minor(amount),
        lines=lines,
        charged_at=at,
        charged_by=by,
    )


def reference(kind: str, subscription_id: int, starts_at: datetime, zone: str) -> str:
    """
    Return the one reference of a period's entry: "renewal:42:2027-03-01".
    """
    return f"{kind}:{subscription_id}:{periods.day_in(starts_at, zone)}"
