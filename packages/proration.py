"""
The share of a price that is left of a period. Pure, exact, one rounding per line.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from djmoney.money import Money

from crm_billing.money import rounded, to_minor

TICK = timedelta(microseconds=1)


def prorate(
    amount: Money, *, at: datetime, start: datetime, end: datetime, days_in: str | None = None
) -> Money:
    """
    Return the part of `amount` that belongs to the rest of the period [start, end) from `at` on.

    All of it before the period, none of it after. Halves round away from zero, so that a credit
    is the mirror of the debit; credits and debits are prorated as lines of their own.

    start, end, at: aware.
    days_in: a time zone: count its calendar days, the day of the change among those left,
    instead of seconds.
    raises ValueError: the period is empty.
    source: D§8.2, samples/vectors/renewal_proration.json
    """
    if start >= end:
        raise ValueError("A period ends after it starts")
    at = min(max(at, start), end)
    if days_in is None:
        share = Fraction((end - at) // TICK, (end - start) // TICK)
    else:
        share = Fraction(_days(at, end, days_in), _days(start, end, days_in))
    return rounded(to_minor(amount) * share, str(amount.currency))


def _days(start: datetime, end: datetime, tz: str) -> int:
    zone = ZoneInfo(tz)
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days
