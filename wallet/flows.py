"""
What came into a wallet and what went out, by month of its customer's calendar.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db import connection
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import from_minor, to_minor

PACE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Flow:
    """
    What came in and went out between two moments; both are zero or more.
    """

    came: Money
    went: Money


@dataclass(frozen=True, slots=True)
class Month:
    first: date
    flow: Flow


@dataclass(frozen=True, slots=True)
class Flows:
    """
    months: oldest first, the last one running. same_days: last month up to the same day and hour.
    lately: the last 30 days.
    """

    months: list[Month]
    same_days: Flow
    lately: Flow

    @property
    def this_month(self) -> Flow:
        return self.months[-1].flow

    def days_left(self, available: Money) -> int | None:
        """
        Return for how many days the available money lasts at the pace of the last 30 days.
        """
        spent = to_minor(self.lately.went)
        return to_minor(available) * PACE.days // spent if spent else None


def by_month(customer: Customer, *, months: int, at: datetime) -> Flows:
    """
    Return the movements of principal and bonus in the customer's currency, in one query.
    """
    today = at.astimezone(customer.zone)
    firsts = [_month_before(today.date().replace(day=1), back) for back in range(months)][::-1]
    starts = [datetime.combine(first, time.min, tzinfo=customer.zone) for first in firsts]
    into_month = at - starts[-1]
    periods = [
        *zip(starts, [*starts[1:], at], strict=True),
        (starts[-2], min(starts[-2] + into_month, starts[-1])),
        (at - PACE, at),
    ]
    flows = _between(customer, periods)
    listed = [Month(first, flow) for first, flow in zip(firsts, flows, strict=False)]
    return Flows(months=listed, same_days=flows[-2], lately=flows[-1])


def change_percent(now: Money, before: Money) -> Decimal | None:
    """
    Return by how many per cent something grew, to a tenth; None when it began at nothing.
    """
    start, end = to_minor(before), to_minor(now)
    if not start:
        return None
    return (Decimal(end - start) * 100 / start).quantize(Decimal("0.1"))


def _month_before(first: date, back: int) -> date:
    months = first.year * 12 + first.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


def _between(customer: Customer, periods: list[tuple[datetime, datetime]]) -> list[Flow]:
    starts, ends = [list(moments) for moments in zip(*periods, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH moved AS MATERIALIZED (
                SELECT e.occurred_at, sum(-p.amount_minor) AS change
                FROM wallet_journalentry AS e
                INNER JOIN wallet_posting AS p ON p.entry_id = e.id
                WHERE e.customer_id = %(customer)s
                    AND e.occurred_at >= %(start)s AND e.occurred_at < %(end)s
                    AND p.account_id IN (
                        SELECT id FROM wallet_ledgeraccount
                        WHERE customer_id = %(customer)s AND currency = %(currency)s
                            AND kind IN ('PRINCIPAL', 'BONUS')
                    )
                GROUP BY e.id
            )
            SELECT
                coalesce(sum(m.change) FILTER (WHERE m.change > 0), 0)::bigint,
                coalesce(-sum(m.change) FILTER (WHERE m.change < 0), 0)::bigint
            FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[])
                WITH ORDINALITY AS period (starts, ends, place)
            LEFT JOIN moved AS m ON m.occurred_at >= period.starts AND m.occurred_at < period.ends
            GROUP BY period.place
            ORDER BY period.place
            """,
            {
                "customer": customer.pk,
                "currency": customer.currency,
                "start": min(starts),
                "end": max(ends),
                "starts": starts,
                "ends": ends,
            },
        )
        return [
            Flow(from_minor(came, customer.currency), from_minor(went, customer.currency))
            for came, went in cursor.fetchall()
        ]
