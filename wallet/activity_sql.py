"""
The three questions of `wallet/activity.py`. {near}, {order} and {narrow} are filled with terms of
our own; every value is a parameter.
"""

# The subquery walks one index from the cursor; what it yields is looked at one by one, and the
# walk ends with the page. A balance is that of the last posting up to the entry: one step back
# in the index on (account, entry) for each pot, which the row comparison alone can name.
ROWS = """
SELECT
    e.id, e.reference, e.kind, e.description, e.customer_id, e.occurred_at,
    m.currency, m.principal, m.bonus, m.debt,
    coalesce((
        SELECT sum(last.balance)
        FROM wallet_ledgeraccount AS a
        CROSS JOIN LATERAL (
            SELECT p.account_id, p.balance_after_minor AS balance
            FROM wallet_posting AS p
            WHERE (p.account_id, p.entry_id) <= (a.id, e.id)
            ORDER BY p.account_id DESC, p.entry_id DESC
            LIMIT 1
        ) AS last
        WHERE last.account_id = a.id AND a.customer_id = e.customer_id AND a.currency = m.currency
            AND a.kind IN ('PRINCIPAL', 'BONUS')
    ), 0)::bigint AS balance
FROM (
    SELECT id, reference, kind, description, customer_id, occurred_at
    FROM wallet_journalentry
    WHERE {near}
    ORDER BY {order}
    LIMIT %(window)s
) AS e
CROSS JOIN LATERAL (
    SELECT
        min(p.currency) AS currency,
        coalesce(sum(-p.amount_minor) FILTER (WHERE a.kind = 'PRINCIPAL'), 0)::bigint AS principal,
        coalesce(sum(-p.amount_minor) FILTER (WHERE a.kind = 'BONUS'), 0)::bigint AS bonus,
        coalesce(sum(p.amount_minor) FILTER (WHERE a.kind = 'DEBT'), 0)::bigint AS debt,
        coalesce(
            sum(-p.amount_minor) FILTER (WHERE a.kind IN ('PRINCIPAL', 'BONUS')), 0
        )::bigint AS total
    FROM wallet_posting AS p
    INNER JOIN wallet_ledgeraccount AS a ON a.id = p.account_id
    WHERE p.entry_id = e.id AND a.customer_id = e.customer_id
) AS m
WHERE {narrow}
ORDER BY {order}
LIMIT %(limit)s
"""

EDGE = """
SELECT id, occurred_at FROM wallet_journalentry
WHERE {near}
ORDER BY {order}
LIMIT 1 OFFSET %(skip)s
"""

NUMBERED = """
WITH found AS (
    SELECT id FROM wallet_journalentry
    WHERE reference = ANY (%(references)s) AND customer_id = %(customer)s
    UNION
    SELECT entry_id FROM wallet_topup
    WHERE number = %(number)s AND customer_id = %(customer)s
    UNION
    SELECT t.entry_id FROM wallet_paymentattempt AS p
    INNER JOIN wallet_topup AS t ON t.id = p.topup_id
    WHERE p.number = %(number)s AND t.customer_id = %(customer)s
    UNION
    SELECT t.entry_id FROM wallet_receipt AS r
    INNER JOIN wallet_topup AS t ON t.id = r.topup_id
    WHERE r.number = %(number)s AND r.customer_id = %(customer)s
    UNION
    SELECT entry_id FROM wallet_adjustment
    WHERE number = %(number)s AND customer_id = %(customer)s
    UNION
    SELECT entry_id FROM wallet_hold
    WHERE reference = %(text)s AND customer_id = %(customer)s
)
SELECT id FROM found WHERE id IS NOT NULL
UNION
SELECT r.id FROM wallet_journalentry AS r INNER JOIN found ON r.reverses_id = found.id
"""
