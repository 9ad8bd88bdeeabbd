"""
The invariants of the books, each one SQL query that must return no row.

An invariant that has never fired proves nothing: tests/wallet/test_books.py tampers with the
data and sees each one caught. source: money.md §3, docs/architecture.md "What the books promise"
What is done about a violation stands in wallet/freezes.py.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core.cache import cache
from django.db import connection, transaction

from crm_billing.transactions import snapshot

log = structlog.get_logger(__name__)

LAST_CHECK = "wallet.books.last_check"
OVERDUE = timedelta(minutes=20)  # the clockwork checks every five

# A query reads the whole journal: the limit that protects pages from slow statements is too low.
STATEMENT_LIMIT = "10min"

# code -> (what it says, query of violating rows)
INVARIANTS: dict[str, tuple[str, str]] = {
    "I1": (
        "every entry has two or more postings and sums to zero per currency",
        """
        SELECT e.id FROM wallet_journalentry AS e
        LEFT JOIN wallet_posting AS p ON p.entry_id = e.id
        GROUP BY e.id HAVING count(p.id) < 2
        UNION ALL
        SELECT entry_id FROM wallet_posting
        GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0
        """,
    ),
    "I2": (
        "each book sums to zero per currency",
        """
        SELECT min(p.id) FROM wallet_posting AS p
        INNER JOIN wallet_ledgeraccount AS a ON a.id = p.account_id
        GROUP BY a.book, p.currency HAVING sum(p.amount_minor) <> 0
        """,
    ),
    "I3": (
        "cached balance and version are the journal's",
        """
        SELECT a.id FROM wallet_ledgeraccount AS a
        LEFT JOIN (
            SELECT account_id, sum(amount_minor) AS total, max(account_version) AS version
            FROM wallet_posting GROUP BY account_id
        ) AS p ON p.account_id = a.id
        WHERE a.customer_id IS NOT NULL
            AND (
                a.balance_minor <> a.sign * coalesce(p.total, 0)
                OR a.version <> coalesce(p.version, 0)
            )
        """,
    ),
    "I4": (
        "running balance and version have no gap",
        """
        SELECT id FROM (
            SELECT
                p.id,
                p.balance_after_minor,
                p.account_version,
                a.sign * sum(p.amount_minor) OVER running AS total,
                row_number() OVER running AS place
            FROM wallet_posting AS p
            INNER JOIN wallet_ledgeraccount AS a ON a.id = p.account_id
            WHERE a.customer_id IS NOT NULL
            WINDOW running AS (PARTITION BY p.account_id ORDER BY p.account_version)
        ) AS x
        WHERE balance_after_minor IS DISTINCT FROM total OR account_version IS DISTINCT FROM place
        """,
    ),
    "I5": (
        "no account lies below its minimum; what is held is what open holds pinned",
        """
        SELECT a.id FROM wallet_ledgeraccount AS a
        LEFT JOIN (
            SELECT lot.account_id, sum(part.amount_minor) AS held
            FROM wallet_holdlot AS part
            INNER JOIN wallet_hold AS h ON h.id = part.hold_id AND h.state = 'OPEN'
            INNER JOIN wallet_lot AS lot ON lot.id = part.lot_id
            GROUP BY lot.account_id
        ) AS h ON h.account_id = a.id
        WHERE a.customer_id IS NOT NULL
            AND (
                a.balance_minor - a.held_minor < a.minimum_minor
                OR a.held_minor <> coalesce(h.held, 0)
            )
        UNION ALL
        SELECT h.id FROM wallet_hold AS h
        LEFT JOIN wallet_holdlot AS part ON part.hold_id = h.id
        GROUP BY h.id HAVING h.amount_minor <> coalesce(sum(part.amount_minor), 0)
        """,
    ),
    "I6": (
        "a hold ends once and captures at most its amount",
        """
        SELECT h.id FROM wallet_hold AS h
        LEFT JOIN (
            SELECT e.id, sum(p.amount_minor) AS debited
            FROM wallet_journalentry AS e
            INNER JOIN wallet_posting AS p ON p.entry_id = e.id AND p.amount_minor > 0
            GROUP BY e.id
        ) AS c ON c.id = h.entry_id
        WHERE (h.state = 'CAPTURED') <> (h.entry_id IS NOT NULL)
            OR h.captured_minor > h.amount_minor
            OR h.captured_minor <> coalesce(c.debited, 0)
        UNION ALL
        SELECT e.id FROM wallet_journalentry AS e
        LEFT JOIN wallet_hold AS h ON h.entry_id = e.id
        WHERE e.kind = 'CAPTURE' AND h.id IS NULL
        """,
    ),
    "I7": (
        "each payment and each top-up is credited at most once; paid means credited",
        """
        SELECT min(id) FROM wallet_gatewaypayment
        WHERE entry_id IS NOT NULL
        GROUP BY gateway, external_id HAVING count(*) > 1
        UNION ALL
        SELECT topup_id FROM wallet_gatewaypayment
        WHERE entry_id IS NOT NULL GROUP BY topup_id HAVING count(*) > 1
        UNION ALL
        SELECT t.id FROM wallet_topup AS t
        LEFT JOIN wallet_gatewaypayment AS p ON p.topup_id = t.id AND p.entry_id IS NOT NULL
        WHERE (t.state = 'PAID') <> (p.id IS NOT NULL)
            OR t.entry_id IS DISTINCT FROM p.entry_id
        UNION ALL
        SELECT e.id FROM wallet_journalentry AS e
        LEFT JOIN wallet_gatewaypayment AS p ON p.entry_id = e.id
        WHERE e.kind = 'TOP_UP' AND p.id IS NULL
        """,
    ),
    "I8": (
        "what was credited is what the gateway said is what was ordered",
        """
        SELECT p.id FROM wallet_gatewaypayment AS p
        INNER JOIN wallet_topup AS t ON t.id = p.topup_id
        INNER JOIN wallet_journalentry AS e ON e.id = p.entry_id
        LEFT JOIN (
            SELECT q.entry_id, a.customer_id, q.currency, -q.amount_minor AS credited
            FROM wallet_posting AS q
            INNER JOIN wallet_ledgeraccount AS a ON a.id = q.account_id AND a.kind = 'PRINCIPAL'
        ) AS c ON c.entry_id = p.entry_id
        WHERE (c.credited, c.currency::text, c.customer_id) IS DISTINCT FROM
                (money_minor(p.amount, p.amount_currency), p.amount_currency::text, t.customer_id)
            OR (p.amount, p.amount_currency, p.gateway)
                IS DISTINCT FROM (t.amount, t.amount_currency, t.gateway)
        """,
    ),
    "I9": (
        "no verified payment older than 15 minutes is neither credited nor in a case",
        """
        SELECT p.id FROM wallet_gatewaypayment AS p
        WHERE p.entry_id IS NULL
            AND p.received_at < now() - interval '15 minutes'
            AND NOT EXISTS (SELECT 1 FROM wallet_case AS c WHERE c.payment_id = p.id)
        UNION ALL
        SELECT b.id FROM wallet_gatewaycallback AS b
        WHERE b.outcome = 'RECEIVED'
            AND b.received_at < now() - interval '15 minutes'
            AND NOT EXISTS (SELECT 1 FROM wallet_case AS c WHERE c.callback_id = b.id)
        """,
    ),
    "I11": (
        "lots lie within their grants, add up to their balances, and their uses explain them",
        """
        SELECT id FROM wallet_lot WHERE NOT remaining_minor BETWEEN 0 AND granted_minor
        UNION ALL
        SELECT a.id FROM wallet_ledgeraccount AS a
        LEFT JOIN (
            SELECT account_id, sum(remaining_minor) AS remaining, sum(held_minor) AS held
            FROM wallet_lot GROUP BY account_id
        ) AS lot ON lot.account_id = a.id
        WHERE a.kind IN ('PRINCIPAL', 'BONUS', 'POINTS')
            AND (
                a.balance_minor <> coalesce(lot.remaining, 0)
                OR a.held_minor <> coalesce(lot.held, 0)
            )
        UNION ALL
        SELECT lot.id FROM wallet_lot AS lot
        LEFT JOIN (
            SELECT lot_id, sum(amount_minor) AS used FROM wallet_lotuse GROUP BY lot_id
        ) AS u ON u.lot_id = lot.id
        WHERE lot.granted_minor - coalesce(u.used, 0) <> lot.remaining_minor
        """,
    ),
    "I15": (
        "nothing waits in the outbox for more than 15 minutes unless it is parked",
        """
        SELECT id FROM crm_billing_outbox
        WHERE sent_at IS NULL AND parked_at IS NULL AND created_at < now() - interval '15 minutes'
        """,
    ),
    "I16": (
        "a reversal mirrors exactly one entry, once",
        """
        SELECT r.id FROM wallet_journalentry AS r
        WHERE r.reverses_id IS NOT NULL AND EXISTS (
            SELECT 1
            FROM (SELECT * FROM wallet_posting WHERE entry_id = r.id) AS m
            FULL JOIN (SELECT * FROM wallet_posting WHERE entry_id = r.reverses_id) AS o
                ON o.account_id = m.account_id AND o.amount_minor = -m.amount_minor
            WHERE o.id IS NULL OR m.id IS NULL
        )
        UNION ALL
        SELECT reverses_id FROM wallet_journalentry
        WHERE reverses_id IS NOT NULL GROUP BY reverses_id HAVING count(*) > 1
        UNION ALL
        SELECT id FROM wallet_journalentry WHERE (kind = 'REVERSAL') <> (reverses_id IS NOT NULL)
        """,
    ),
    "I17": (
        "every manual entry has an approval by another person of the same payload",
        """
        SELECT e.id FROM wallet_journalentry AS e
        LEFT JOIN wallet_adjustment AS q ON q.entry_id = e.id
        LEFT JOIN wallet_posting AS p ON p.entry_id = e.id
        LEFT JOIN wallet_ledgeraccount AS a ON a.id = p.account_id
        WHERE e.kind = 'ADJUSTMENT' AND (a.id IS NULL OR a.customer_id IS NOT NULL)
            AND (
                q.id IS NULL
                OR q.state <> 'POSTED'
                OR q.checker_id IS NULL
                OR q.checker_id = q.maker_id
                OR q.customer_id IS DISTINCT FROM a.customer_id
                OR q.kind <> a.kind
                OR money_minor(q.amount, q.amount_currency)
                    <> CASE q.direction WHEN 'CREDIT' THEN -1 ELSE 1 END * p.amount_minor
                OR q.payload_sha256 <> wallet_adjustment_payload(q)
            )
        """,
    ),
    "I19": (
        "each block of the seal follows the one before; a night recomputes what they hold",
        """
        SELECT id FROM (
            SELECT
                id, prev_sha256, lag(sha256, 1, repeat('0', 64)) OVER (ORDER BY id) AS before_sha256
            FROM wallet_sealblock
        ) AS b
        WHERE prev_sha256 <> before_sha256
        """,
    ),
    "I21": (
        "a posting has its account's currency; a customer has one pot per currency and kind",
        """
        SELECT p.id FROM wallet_posting AS p
        INNER JOIN wallet_ledgeraccount AS a ON a.id = p.account_id
        WHERE a.currency <> p.currency
        UNION ALL
        SELECT l.id FROM wallet_lot AS l
        INNER JOIN wallet_ledgeraccount AS a ON a.id = l.account_id
        WHERE (a.currency, a.kind, a.customer_id) <> (l.currency, l.kind, l.customer_id)
        UNION ALL
        SELECT min(id) FROM wallet_ledgeraccount
        WHERE customer_id IS NOT NULL
        GROUP BY customer_id, currency, kind HAVING count(*) > 1
        """,
    ),
    "I22": (
        "finished idempotency keys have an answer",
        """
        SELECT id FROM crm_billing_idempotencykey
        WHERE status IS NULL OR body IS NULL
        """,
    ),
    "I24": (
        "no entry is unsealed for more than 10 minutes",
        """
        SELECT id FROM wallet_unsealed WHERE created_at < now() - interval '10 minutes'
        """,
    ),
}

# what a broken one of these means is not known for any customer: all money writes stop
BOOK_WIDE = {"I1", "I2", "I3", "I4", "I19", "I21"}


def promise(code: str, says: str, query: str) -> None:
    """
    Add an invariant of an app above to those the books are proved by.

    query: returns the ids of violating rows.
    raises ValueError: another promise has this code.
    """
    if code in INVARIANTS:
        raise ValueError(f"{code} is promised already")
    INVARIANTS[code] = (says, query)


def violations() -> dict[str, int]:
    """
    Return invariant code -> number of violating rows, all read from one snapshot.
    """
    with snapshot(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'")
        return {code: _count(cursor, query) for code, (_says, query) in INVARIANTS.items()}


def _count(cursor, query: str) -> int:
    cursor.execute(f"SELECT count(*) FROM ({query}) AS violation")  # noqa: S608
    return cursor.fetchone()[0]


def examples(code: str, *, limit: int = 10) -> list[int]:
    """
    Return the ids of some rows that violate an invariant, for a person to look at.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'")
        cursor.execute(f"SELECT * FROM ({INVARIANTS[code][1]}) AS violation LIMIT {limit:d}")  # noqa: S608
        return [row_id for (row_id,) in cursor.fetchall()]


# What staff are shown of the last check: a hint, kept where losing it costs nothing.


@dataclass(frozen=True, slots=True)
class Check:
    """
    When the books were last checked, and the number of violating rows per invariant.
    """

    at: datetime
    counts: dict[str, int]

    @property
    def broken(self) -> dict[str, int]:
        return {code: rows for code, rows in self.counts.items() if rows}

    def is_overdue(self, *, at: datetime) -> bool:
        """
        Say whether the next check should long have been made.
        """
        return at - self.at > OVERDUE


def last_check() -> Check | None:
    """
    Return what the last check found, None when nobody remembers.
    """
    try:
        known = cache.get(LAST_CHECK)
    except Exception:
        log.warning("books.memory_lost", exc_info=True)
        return None
    return Check(datetime.fromisoformat(known["at"]), known["counts"]) if known else None


def remember(check: Check) -> None:
    """
    Keep what a check found, for `last_check`.
    """
    try:
        cache.set(LAST_CHECK, {"at": check.at.isoformat(), "counts": check.counts}, None)
    except Exception:
        log.warning("books.memory_lost", exc_info=True)
