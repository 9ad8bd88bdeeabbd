"""
When periods begin. Pure: dates, numbers and zones in, dates and instants out.

Every boundary is counted from the original anchor, never from the boundary before, so that a
subscription begun on the 31st is billed on the last day of short months and on the 31st again.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


def boundary(anchor: date, interval: str, n: int) -> date:
    """
    Return the first day of period `n`; period 0 begins on the anchor.

    interval: month, quarter, half_year or year.
    raises ValueError: an unknown interval, or a day outside the calendar.
    source: D§8.2, samples/vectors/renewal_proration.json
    """
    if interval not in MONTHS:
        raise ValueError(f"{interval!r} is not one of {', '.join(MONTHS)}")
    months = anchor.year * 12 + anchor.month - 1 + n * MONTHS[interval]
    first = date(months // 12, months % 12 + 1, 1)
    return first.replace(day=min(anchor.day, monthrange(first.year, first.month)[1]))


def instant(day: date, tz: str) -> datetime:
    """
    Return the moment a day begins in a time zone, in UTC.

    Where clocks jump over midnight the day begins when they have jumped; where midnight comes
    twice, at the first.
    raises zoneinfo.ZoneInfoNotFoundError: an unknown zone.
    source: D§8.2
    """
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).astimezone(UTC)


def span(anchor: date, interval: str, n: int, tz: str) -> tuple[datetime, datetime]:
    """
    Return the moments period `n` begins and ends: the midnights of two boundaries.

    raises: as `boundary` and `instant`.
    """
    return instant(boundary(anchor, interval, n), tz), instant(
        boundary(anchor, interval, n + 1), tz
    )


def days(day: date, length: int, tz: str) -> tuple[datetime, datetime]:
    """
    Return the moments so many days begin and end, the first being `day`.

    raises: as `instant`.
    """
    return instant(day, tz), instant(day + timedelta(days=length), tz)


@lru_cache(maxsize=10_000)
def day_in(at: datetime, tz: str) -> date:
    """
    Return the date of a moment in a time zone.
    """
    return at.astimezone(ZoneInfo(tz)).date()
