"""
What customers allow use to cost: beyond what is included in a term, and in a calendar month.
Decided by `allowing`, obeyed by `reckoning` and once more by the database.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from accounts.models import Customer
from packages import periods
from packages.models import Overage, SpendingCap, Subscription


@dataclass(frozen=True, slots=True)
class Limits:
    """
    All that a customer has decided, oldest first.
    """

    overages: Mapping[tuple[int, str], list[Overage]]
    caps: Mapping[str, list[SpendingCap]]

    def overage(self, subscription_id: int, code: str, before: datetime) -> Overage | None:
        """
        Return the rule that holds until a moment: the last one made before it.
        """
        made = self.overages.get((subscription_id, code), [])
        return next((one for one in reversed(made) if one.made_at < before), None)

    def cap(self, code: str, month: date, zone: str) -> SpendingCap | None:
        """
        Return the cap of a month; code "" is for all use together.
        """
        over = periods.instant(periods.boundary(month, "month", 1), zone)
        return next(
            (
                one
                for one in reversed(self.caps.get(code, []))
                if one.month in (None, month) and one.made_at < over
            ),
            None,
        )

    def left(
        self, code: str, month: date, zone: str, spent: Mapping[tuple[str, date], int]
    ) -> int | None:
        """
        Return what may yet be taken in a month, None without end.
        """
        cap = self.cap(code, month, zone)
        if cap is None or cap.most_minor is None:
            return None
        most = cap.most_minor
        if cap.made_in == month:
            most = max(most, cap.spent_minor)
        return max(most - spent.get((code, month), 0), 0)


def read(customer: Customer, subscriptions: Collection[Subscription]) -> Limits:
    overages: dict[tuple[int, str], list[Overage]] = {}
    for one in Overage.objects.filter(subscription__in=subscriptions).order_by("pk"):
        overages.setdefault((one.subscription_id, one.code), []).append(one)
    caps: dict[str, list[SpendingCap]] = {}
    for cap in SpendingCap.objects.filter(customer=customer).order_by("pk"):
        caps.setdefault(cap.code, []).append(cap)
    return Limits(overages=overages, caps=caps)


def allowed_minor(overage: Overage, period_number: int) -> int | None:
    """
    Return what a rule lets a term take, None without end.
    """
    if overage.policy == Overage.Policy.ALLOW:
        return None
    owed = overage.spent_minor if overage.period_number == period_number else 0
    return max(overage.most_minor or 0, owed)
