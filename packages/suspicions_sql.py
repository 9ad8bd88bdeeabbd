"""
The questions of `packages/suspicions.py`. Each begins with the columns of a Suspect; what was
reversed is put right already and is not asked about. {suspect}, {charged} and {lately} are filled
with what they share; every value is a parameter.
"""

_SUSPECT = """
    SELECT
        c.id, c.entry_id, c.customer_id, e.reference, s.number, c.currency, c.amount_minor,
        c.charged_at
"""
_CHARGED = """
    FROM packages_charge AS c
    INNER JOIN wallet_journalentry AS e ON e.id = c.entry_id
    INNER JOIN packages_subscription AS s ON s.id = c.subscription_id
"""
_LATELY = """
    WHERE
        c.charged_at > %(since)s
        AND c.charged_at <= %(at)s
        AND NOT EXISTS (SELECT FROM wallet_journalentry AS r WHERE r.reverses_id = c.entry_id)
"""

# Of one term, or one price and amount for one quantity within a short time. Two changes in a row
# have one amount only when they have one quantity too: then the second did nothing. Packs are
# numbered: who buys another one of a term wants it.
DUPLICATES = """
    {suspect}, f.id, f.charged_at
    {charged}
    CROSS JOIN LATERAL (
        SELECT f.id, f.charged_at
        FROM packages_charge AS f
        WHERE
            f.customer_id = c.customer_id
            AND f.id < c.id
            AND f.currency = c.currency
            AND NOT EXISTS (SELECT FROM wallet_journalentry AS r WHERE r.reverses_id = f.entry_id)
            AND (
                (
                    f.subscription_id = c.subscription_id
                    AND f.period_number = c.period_number
                    AND f.kind = c.kind
                    AND c.kind <> 'CHANGE'
                )
                OR (
                    f.charged_at >= c.charged_at - %(short)s
                    AND f.price_version_id = c.price_version_id
                    AND f.amount_minor = c.amount_minor
                    AND (
                        f.subscription_id <> c.subscription_id
                        OR f.period_number = c.period_number
                    )
                    AND jsonb_path_query_array(f.lines, '$[*].quantity')
                        = jsonb_path_query_array(c.lines, '$[*].quantity')
                )
            )
        ORDER BY f.id
        LIMIT 1
    ) AS f
    {lately}
        AND c.kind <> 'PACK'
    ORDER BY c.id
"""

# What nobody agreed to at that moment, beside the last of its sort and length of term. A change
# somebody made since explains what costs more now, as does a coupon that is over: only terms begun
# with the same one, or with none, are compared. Use has to explain itself.
SPIKES = """
    {suspect}, h.amounts
    {charged}
    INNER JOIN packages_priceversion AS v ON v.id = c.price_version_id
    LEFT JOIN packages_subscriptionperiod AS p
        ON p.subscription_id = c.subscription_id AND p.number = c.period_number
    CROSS JOIN LATERAL (
        SELECT array_agg(h.amount_minor) AS amounts, max(h.charged_at) AS last_at
        FROM (
            SELECT h.amount_minor, h.charged_at
            FROM packages_charge AS h
            INNER JOIN packages_priceversion AS w ON w.id = h.price_version_id
            LEFT JOIN packages_subscriptionperiod AS q
                ON q.subscription_id = h.subscription_id AND q.number = h.period_number
            WHERE
                h.subscription_id = c.subscription_id
                AND h.id < c.id
                AND h.kind NOT IN ('CHANGE', 'PACK')
                AND (h.kind = 'USAGE') = (c.kind = 'USAGE')
                AND w.interval = v.interval
                AND (
                    c.kind = 'USAGE' OR q.coupon_use_id IS NOT DISTINCT FROM p.coupon_use_id
                )
            ORDER BY h.id DESC
            LIMIT %(last)s
        ) AS h
    ) AS h
    {lately}
        AND c.charged_by_id IS NULL
        AND c.kind NOT IN ('CHANGE', 'PACK')
        AND c.amount_minor > (SELECT min(amount) FROM unnest(h.amounts) AS amount)
        AND NOT EXISTS (
            SELECT FROM packages_subscriptionchange AS d
            INNER JOIN accounts_consent AS k ON k.id = d.consent_id
            WHERE
                c.kind <> 'USAGE'
                AND d.subscription_id = c.subscription_id
                AND k.given_by_id IS NOT NULL
                AND d.applied_at > h.last_at
                AND d.applied_at <= c.charged_at
        )
    ORDER BY c.id
"""

# Use is charged after its term and may come after the end.
AFTER_CANCEL = """
    {suspect}, least(s.ended_at, s.cancelled_at)
    {charged}
    {lately}
        AND c.kind <> 'USAGE'
        AND (
            c.charged_at > s.ended_at
            OR (c.charged_at > s.cancelled_at AND c.charged_by_id IS NULL)
        )
    ORDER BY c.id
"""

# Seats as charged, beside those of the charge before; somebody's change to so many explains them.
SEATS = """
    {suspect}, c.kind, b.seats, n.seats, n.amount_minor
    {charged}
    CROSS JOIN LATERAL (
        SELECT
            max((l ->> 'quantity')::numeric) FILTER (WHERE (l ->> 'amount_minor')::bigint >= 0)
                AS seats,
            sum((l ->> 'amount_minor')::bigint)::bigint AS amount_minor
        FROM jsonb_array_elements(c.lines) AS l
        WHERE l ->> 'kind' = 'SEAT'
    ) AS n
    CROSS JOIN LATERAL (
        SELECT
            p.charged_at,
            (
                SELECT max((l ->> 'quantity')::numeric)
                FROM jsonb_array_elements(p.lines) AS l
                WHERE l ->> 'kind' = 'SEAT' AND (l ->> 'amount_minor')::bigint >= 0
            ) AS seats
        FROM packages_charge AS p
        WHERE
            p.subscription_id = c.subscription_id
            AND p.id < c.id
            AND p.lines @> '[{{"kind": "SEAT"}}]'
        ORDER BY p.id DESC
        LIMIT 1
    ) AS b
    {lately}
        AND n.seats > b.seats
        AND NOT EXISTS (
            SELECT FROM packages_subscriptionchange AS d
            INNER JOIN accounts_consent AS k ON k.id = d.consent_id
            WHERE
                d.subscription_id = c.subscription_id
                AND d.to_seats >= n.seats
                AND k.given_by_id IS NOT NULL
                AND d.revoked_at IS NULL
                AND coalesce(d.applied_at, d.made_at) > b.charged_at - %(day)s
                AND d.made_at <= c.charged_at
        )
    ORDER BY c.id
"""


def whole(question: str) -> str:
    return question.format(suspect=_SUSPECT, charged=_CHARGED, lately=_LATELY)
