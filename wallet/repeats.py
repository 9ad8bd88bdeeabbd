"""
Spends that look like one and the same, taken more than once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from djmoney.money import Money

from crm_billing.money import from_minor


@dataclass(frozen=True, slots=True)
class Repeat:
    """
    One spend and those that followed it alike. entry_id: of the second of them.
    """

    customer_id: int
    entry_id: int
    reference: str
    first_entry_id: int
    first_reference: str
    description: str
    currency: str
    amount_minor: int
    times: int
    first_at: datetime
    last_at: datetime

    @property
    def amount(self) -> Money:
        return from_minor(self.amount_minor, self.currency)


def repeated(
    *, since: datetime, at: datetime, within: timedelta, habit: timedelta, usual: int
) -> list[Repeat]:
    """
    Return spends that were repeated since then: the same customer, description and amount, each at
    most `within` after the one before. What was reversed does not count.

    usual: so many like it in the time `habit` before make it a habit, which is not told.
    """
    asked: dict[str, Any] = {
        "since": since,
        "at": at,
        "within": within,
        "habit": habit,
        "usual": usual,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REPEATED, asked)
        return [Repeat(*row) for row in cursor.fetchall()]


_REPEATED = """
    WITH spent AS (
        SELECT e.id, e.reference, e.customer_id, e.description, e.occurred_at, p.currency, p.taken
        FROM wallet_journalentry AS e
        CROSS JOIN LATERAL (
            SELECT min(p.currency) AS currency, sum(p.amount_minor)::bigint AS taken
            FROM wallet_posting AS p
            WHERE p.entry_id = e.id AND p.account_version IS NOT NULL
        ) AS p
        WHERE
            e.kind = 'SPEND'
            AND e.reference LIKE 'spend:%%'
            AND e.occurred_at > %(since)s - %(habit)s
            AND e.occurred_at <= %(at)s
            AND NOT EXISTS (SELECT FROM wallet_journalentry AS r WHERE r.reverses_id = e.id)
    ),
    marked AS (
        SELECT
            s.*,
            coalesce(s.occurred_at - lag(s.occurred_at) OVER alike > %(within)s, TRUE) AS begins,
            count(*) OVER (
                PARTITION BY s.customer_id, s.description, s.currency, s.taken
                ORDER BY s.occurred_at
                RANGE BETWEEN %(habit)s PRECEDING AND %(within)s PRECEDING
            ) AS before
        FROM spent AS s
        WINDOW alike AS (
            PARTITION BY s.customer_id, s.description, s.currency, s.taken
            ORDER BY s.occurred_at, s.id
        )
    ),
    run AS (
        SELECT
            m.*,
            count(*) FILTER (WHERE m.begins) OVER (
                PARTITION BY m.customer_id, m.description, m.currency, m.taken
                ORDER BY m.occurred_at, m.id
            ) AS run
        FROM marked AS m
    )
    SELECT
        r.customer_id,
        (array_agg(r.id ORDER BY r.occurred_at, r.id))[2],
        (array_agg(r.reference ORDER BY r.occurred_at, r.id))[2],
        (array_agg(r.id ORDER BY r.occurred_at, r.id))[1],
        (array_agg(r.reference ORDER BY r.occurred_at, r.id))[1],
        r.description,
        r.currency,
        r.taken,
        count(*),
        min(r.occurred_at),
        max(r.occurred_at)
    FROM run AS r
    GROUP BY r.customer_id, r.description, r.currency, r.taken, r.run
    HAVING
        count(*) > 1
        AND max(r.occurred_at) > %(since)s
        AND (array_agg(r.before ORDER BY r.occurred_at, r.id))[1] < %(usual)s
    ORDER BY 2
"""
