"""
How much was used: exact totals of a meter between two moments, and day by day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from django.db import connection
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import from_minor
from crm_billing.sql import planned_once
from packages import periods
from packages.models import Meter
from packages.quotes import Turnover


@dataclass(frozen=True, slots=True)
class Used:
    """
    What a meter shows for a stretch of time. value: of the transactions, on meters that carry one.
    """

    meter: Meter
    quantity: Decimal
    value: Money | None


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    used: Used


Span = tuple[Meter, datetime, datetime]


def total(customer: Customer, meter: str, *, start: datetime, end: datetime) -> Decimal:
    """
    Return how much a customer has used of a meter, from `start` until before `end`.

    Events are added up, or the largest, the last or the number of different subjects counts, as
    the meter says. Corrected events count as what is left of them; nothing counts as 0.
    72 hours after `end` it changes no more.
    raises Meter.DoesNotExist: there is no meter with this code.
    """
    [used] = between(customer, [Meter.objects.get(code=meter)], start=start, end=end)
    return used.quantity


def between(
    customer: Customer, meters: Sequence[Meter], *, start: datetime, end: datetime
) -> list[Used]:
    """
    Return what each of these meters shows between two moments.
    """
    return measure(customer, [(meter, start, end) for meter in meters])


def daily(
    customer: Customer, meters: Sequence[Meter], *, first: date, last: date, tz: str
) -> list[list[Day]]:
    """
    Return what each of these meters shows for each day of a zone's calendar, both ends included.
    """
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    edges = [periods.instant(day, tz) for day in [*days, last + timedelta(days=1)]]
    spans = [(meter, start, end) for meter in meters for start, end in pairwise(edges)]
    told = iter(measure(customer, spans))
    return [[Day(day, next(told)) for day in days] for _meter in meters]


def turnover(customer: Customer, meter: Meter, *, start: datetime, end: datetime) -> list[Turnover]:
    """
    Return the transactions of a stretch of time, those of one value together.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.value_minor, count(*) FROM packages_usage_left(%s, %s, %s, %s) AS l"
            " GROUP BY l.value_minor ORDER BY l.value_minor",
            [customer.pk, meter.pk, start, end],
        )
        return [
            Turnover(from_minor(int(value), customer.currency), count)
            for value, count in cursor.fetchall()
        ]


def measure(customer: Customer, spans: Sequence[Span]) -> list[Used]:
    """
    Return what each span shows, in two queries at most.

    Different subjects are counted from the events; all else from the hours that lie within, and
    from the events of the pieces of hours at both ends.
    """
    found: dict[int, tuple[Decimal, Decimal]] = {}
    for is_unique, query in ((False, _ROLLED_UP), (True, _DIFFERENT)):
        places = [
            place
            for place, (meter, _start, _end) in enumerate(spans)
            if (meter.aggregation == Meter.Aggregation.UNIQUE) is is_unique
        ]
        if places:
            found |= _ask(query, customer, {place: spans[place] for place in places})
    return [
        Used(
            meter=meter,
            quantity=found[place][0],
            value=from_minor(int(found[place][1]), customer.currency)
            if meter.carries_value
            else None,
        )
        for place, (meter, _start, _end) in enumerate(spans)
    ]


def _ask(
    query: str, customer: Customer, spans: dict[int, Span]
) -> dict[int, tuple[Decimal, Decimal]]:
    meters, starts, ends = zip(*spans.values(), strict=True)
    with connection.cursor() as cursor, planned_once():
        cursor.execute(
            query,
            {
                "customer": customer.pk,
                "places": list(spans),
                "meters": [meter.pk for meter in meters],
                "aggregations": [str(meter.aggregation) for meter in meters],
                "starts": list(starts),
                "ends": list(ends),
            },
        )
        return {place: (quantity, value) for place, quantity, value in cursor.fetchall()}


_ROLLED_UP = """
    WITH spans AS (
        SELECT
            asked.*,
            date_bin('1 hour', starts + '59 min 59.999999 s'::interval, '2000-01-01 00:00+00')
                AS first_hour,
            date_bin('1 hour', ends, '2000-01-01 00:00+00') AS end_hour
        FROM unnest(
            %(places)s::integer[], %(meters)s::bigint[], %(aggregations)s::text[],
            %(starts)s::timestamptz[], %(ends)s::timestamptz[]
        ) AS asked (place, meter_id, aggregation, starts, ends)
    ),
    edges AS (
        SELECT place, meter_id, starts, least(first_hour, ends) AS ends
        FROM spans WHERE starts < first_hour AND starts < ends
        UNION ALL
        SELECT place, meter_id, greatest(end_hour, first_hour), ends
        FROM spans WHERE greatest(end_hour, first_hour) < ends
    ),
    pieces AS (
        SELECT
            s.place, h.total, h.value_minor, h.largest, h.last, h.last_at,
            h.last_event AS event_id
        FROM spans AS s
        INNER JOIN packages_usagehour AS h
            ON h.customer_id = %(customer)s
            AND h.meter_id = s.meter_id
            AND h.starts_at >= s.first_hour
            AND h.starts_at < s.end_hour
        UNION ALL
        SELECT
            e.place, l.quantity, l.value_minor, l.quantity, l.quantity, l.counts_at, l.event_id
        FROM edges AS e
        CROSS JOIN LATERAL packages_usage_left(%(customer)s, e.meter_id, e.starts, e.ends) AS l
    )
    SELECT
        s.place,
        coalesce(
            CASE s.aggregation
                WHEN 'SUM' THEN sum(p.total)
                WHEN 'MAX' THEN max(p.largest)
                ELSE (
                    array_agg(p.last ORDER BY p.last_at DESC, p.event_id COLLATE "C" DESC)
                        FILTER (WHERE p.last_at IS NOT NULL)
                )[1]
            END,
            0
        ),
        coalesce(sum(p.value_minor), 0)
    FROM spans AS s
    LEFT JOIN pieces AS p ON p.place = s.place
    GROUP BY s.place, s.aggregation
"""
_DIFFERENT = """
    SELECT s.place, u.subjects::numeric, 0::numeric
    FROM unnest(
        %(places)s::integer[], %(meters)s::bigint[], %(starts)s::timestamptz[],
        %(ends)s::timestamptz[]
    ) AS s (place, meter_id, starts, ends)
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT l.subject) AS subjects
        FROM packages_usage_left(%(customer)s, s.meter_id, s.starts, s.ends) AS l
        WHERE l.quantity > 0
    ) AS u
"""
