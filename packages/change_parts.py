"""
What a change of a subscription gives back and takes, part by part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from djmoney.money import Money

from crm_billing.money import from_minor
from packages.models import Charge, Subscription, SubscriptionPeriod
from packages.proration import TICK, prorate
from packages.quotes import Line, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    One line of a change: what is left of something given back, or what of something new is left to
    pay. whole: of a full term, negative when given back. amount: of it, rounded once, and never
    more given back than was paid. ticks, of: the share of the term, in microseconds; equal for a
    whole new one.
    """

    line: Line
    whole: Money
    amount: Money
    ticks: int
    of: int


def differing(was: Quote, becomes: Quote) -> tuple[list[Line], list[Line]]:
    """
    Return the lines that go and those that come; what costs the same in both stays out of it.
    """
    before = {one.component.code: one for one in was.lines if one.recurs}
    after = {one.component.code: one for one in becomes.lines if one.recurs}
    same = {
        code for code, one in before.items() if code in after and after[code].amount == one.amount
    }
    return (
        [one for code, one in before.items() if code not in same and one.amount.amount],
        [one for code, one in after.items() if code not in same and one.amount.amount],
    )


def paid(subscription: Subscription) -> dict[str, Money]:
    """
    Return what was paid for each component in the running term, less what was given back.
    """
    found: dict[str, Money] = {}
    nothing = from_minor(0, subscription.currency)
    charged = Charge.objects.filter(
        subscription=subscription, period_number=subscription.period_number
    )
    for charge in charged.order_by("pk"):
        for line in charge.lines:
            amount = from_minor(line["amount_minor"], subscription.currency)
            found[line["code"]] = found.get(line["code"], nothing) + amount
    return found


def given_back(
    line: Line, paid: Mapping[str, Money], at: datetime, period: SubscriptionPeriod
) -> Part:
    """
    Return the share of a line that is left of a period, at most what was `paid` for its component.
    """
    share = prorate(line.amount, at=at, start=period.starts_at, end=period.ends_at)
    most = paid.get(line.component.code, line.amount * 0)
    return _part(line, -line.amount, -min(share, most), at, period)


def taken(line: Line, at: datetime, period: SubscriptionPeriod) -> Part:
    """
    Return the share of a new line for what is left of a period.
    """
    share = prorate(line.amount, at=at, start=period.starts_at, end=period.ends_at)
    return _part(line, line.amount, share, at, period)


def whole(line: Line) -> Part:
    """
    Return a line that is paid in full, of a new term or once.
    """
    return Part(line=line, whole=line.amount, amount=line.amount, ticks=1, of=1)


def total(parts: Iterable[Part], currency: str) -> Money:
    return sum((part.amount for part in parts), from_minor(0, currency))


def _part(
    line: Line, whole: Money, amount: Money, at: datetime, period: SubscriptionPeriod
) -> Part:
    return Part(
        line=line,
        whole=whole,
        amount=amount,
        ticks=(period.ends_at - at) // TICK,
        of=(period.ends_at - period.starts_at) // TICK,
    )
