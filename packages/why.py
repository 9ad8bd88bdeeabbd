"""
All that is known about one charge, read once for its page and for programs.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Customer, User
from packages import explain
from packages.explain import Explanation
from packages.models import Charge, SubscriptionPeriod
from wallet import entries

RELATED = ("price_version__package", "subscription__package", "consent__given_by", "notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """
    explained: the charge's lines. period: the term it is of. told: its entry, with the credit used.
    """

    charge: Charge
    explained: Explanation
    period: SubscriptionPeriod
    told: entries.Explanation


def of(customer: Customer) -> QuerySet[Charge]:
    """
    Return a customer's charges with everything `why` reads of them.
    """
    related = (*RELATED, *(f"entry__{name}" for name in entries.RELATED))
    return Charge.objects.filter(customer=customer).select_related(*related)


def why(charge: Charge, *, to: User | None, at: datetime) -> Why:
    """
    Explain a charge of `of` to one of its customer's people, or with None to a program.
    """
    return Why(
        charge=charge,
        explained=explain.explain(charge),
        period=SubscriptionPeriod.objects.get(
            subscription=charge.subscription_id, number=charge.period_number
        ),
        told=entries.explain(charge.entry, to=to, at=at),
    )
