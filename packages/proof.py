"""
What the books promise about subscriptions, added to those of the wallet. source: money.md §3
"""

from wallet import books

books.promise(
    "I13",
    "terms follow each other without gap; each is charged once, as announced",
    """
    SELECT s.id FROM packages_subscription AS s
    LEFT JOIN packages_subscriptionperiod AS p
        ON p.subscription_id = s.id AND p.number = s.period_number
    WHERE p.ends_at IS DISTINCT FROM s.paid_until
    UNION ALL
    SELECT id FROM (
        SELECT
            p.id, p.number, p.previous_number, p.starts_at,
            lag(p.number) OVER before AS last_number,
            lag(p.ends_at) OVER before AS last_end
        FROM packages_subscriptionperiod AS p
        WINDOW before AS (PARTITION BY p.subscription_id ORDER BY p.number)
    ) AS x
    WHERE number <> coalesce(last_number, 0) + 1
        OR starts_at < last_end
        OR (previous_number IS NOT NULL AND starts_at IS DISTINCT FROM last_end)
    UNION ALL
    SELECT p.id FROM packages_subscriptionperiod AS p
    LEFT JOIN (
        SELECT subscription_id, period_number, count(*) AS times, sum(amount_minor) AS total
        FROM packages_charge WHERE kind IN ('FIRST', 'RENEWAL', 'TERM')
        GROUP BY subscription_id, period_number
    ) AS c ON c.subscription_id = p.subscription_id AND c.period_number = p.number
    WHERE p.amount_minor <> coalesce(c.total, 0) OR coalesce(c.times, 0) > 1
    UNION ALL
    SELECT c.id FROM packages_charge AS c
    LEFT JOIN (
        SELECT entry_id, sum(amount_minor) AS taken FROM wallet_posting
        WHERE account_version IS NOT NULL GROUP BY entry_id
    ) AS e ON e.entry_id = c.entry_id
    WHERE e.taken IS DISTINCT FROM c.amount_minor
    UNION ALL
    SELECT c.id FROM packages_charge AS c
    LEFT JOIN packages_notice AS n
        ON n.id = c.notice_id AND n.subscription_id = c.subscription_id
            AND n.period_number = c.period_number AND n.amount_minor >= c.amount_minor
            AND n.sent_at + packages_notice_days() <= c.charged_at
            AND (n.bounced_at IS NULL OR n.bounced_at > c.charged_at)
    WHERE c.kind = 'RENEWAL' AND n.id IS NULL
    """,
)
books.promise(
    "I25",
    "use is billed when its time has come, once, and taken as billed",
    """
    SELECT p.id FROM packages_subscriptionperiod AS p
    LEFT JOIN packages_usagebill AS b
        ON b.subscription_id = p.subscription_id AND b.period_number = p.number
    WHERE b.id IS NULL AND NOT p.is_trial
        AND EXISTS (
            SELECT FROM packages_pricecomponent AS c
            WHERE c.kind IN ('METERED', 'PERCENTAGE') AND c.version_id = coalesce(
                (
                    SELECT h.to_version_id FROM packages_subscriptionchange AS h
                    WHERE h.subscription_id = p.subscription_id AND h.to_version_id IS NOT NULL
                        AND h.applied_at >= p.starts_at AND h.applied_at < p.ends_at
                    ORDER BY h.applied_at DESC, h.id DESC LIMIT 1
                ),
                p.price_version_id
            )
        )
        AND p.ends_at < (SELECT max(made_at) FROM packages_usagebill) - INTERVAL '74 hours'
        AND p.ends_at > (SELECT max(made_at) FROM packages_usagebill) - INTERVAL '100 days'
    UNION ALL
    SELECT b.id FROM packages_usagebill AS b
    LEFT JOIN packages_charge AS c ON c.id = b.charge_id
    WHERE (b.settled_at IS NOT NULL AND b.amount_minor <> coalesce(c.amount_minor, 0))
        OR (c.id IS NOT NULL AND (c.kind, c.subscription_id, c.period_number)
            <> ('USAGE', b.subscription_id, b.period_number))
    UNION ALL
    SELECT c.id FROM packages_charge AS c
    LEFT JOIN packages_usagebill AS b ON b.charge_id = c.id
    WHERE c.kind = 'USAGE' AND b.id IS NULL
    UNION ALL
    SELECT b.id FROM packages_usagebill AS b
    LEFT JOIN packages_usageshare AS s ON s.bill_id = b.id
    GROUP BY b.id
    HAVING b.amount_minor <> coalesce(sum(s.amount_minor), 0)
        OR b.rated_minor <> coalesce(sum(s.rated_minor), 0)
    """,
)
books.promise(
    "I14",
    "what is due is renewed, ended or put off within two sweeps",
    """
    SELECT s.id FROM packages_subscription AS s
    WHERE s.failures < 5 AND s.next_try_at < (
        SELECT max(r.at) - INTERVAL '10 minutes' FROM packages_renewalrun AS r
        WHERE r.finished_at IS NOT NULL AND NOT r.is_rehearsal
    )
    """,
)
