-- Taking from a thousand wallets at once took time with the square of their number: each request was
-- put behind all those before it, and looked for its lots among those of all. Now both are joins.
CREATE OR REPLACE FUNCTION wallet_spend_many(requests JSONB) RETURNS JSONB
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    refused JSONB;
    entries JSONB;
BEGIN
    PERFORM 1 FROM wallet_ledgeraccount AS a
    WHERE
        a.kind IN ('PRINCIPAL', 'BONUS')
        AND (a.customer_id, a.currency) IN (
            SELECT (r.body ->> 'customer')::BIGINT, r.body ->> 'currency'
            FROM jsonb_array_elements(requests) AS r (body)
        )
    ORDER BY a.id
    FOR NO KEY UPDATE;

    WITH asked AS (
        SELECT
            r.ord,
            r.body,
            (r.body ->> 'customer')::BIGINT AS customer_id,
            r.body ->> 'currency' AS currency,
            (r.body ->> 'amount_minor')::BIGINT AS wanted,
            e.id IS NOT NULL AS replayed,
            sum(CASE WHEN e.id IS NULL THEN (r.body ->> 'amount_minor')::BIGINT ELSE 0 END) OVER (
                PARTITION BY r.body ->> 'customer', r.body ->> 'currency' ORDER BY r.ord
            ) AS upto
        FROM jsonb_array_elements(requests) WITH ORDINALITY AS r (body, ord)
        LEFT JOIN wallet_journalentry AS e ON e.reference = r.body ->> 'reference'
    ),
    wallet AS (
        SELECT
            a.customer_id,
            a.currency,
            min(a.body ->> 'lot_order') AS lot_order,
            max((a.body ->> 'occurred_at')::TIMESTAMPTZ) AS latest
        FROM asked AS a
        WHERE NOT a.replayed
        GROUP BY a.customer_id, a.currency
    ),
    free AS (
        SELECT
            lot.id,
            lot.account_id,
            lot.customer_id,
            lot.currency,
            lot.remaining_minor - lot.held_minor AS left_minor,
            sum(lot.remaining_minor - lot.held_minor) OVER (
                PARTITION BY lot.customer_id, lot.currency
                ORDER BY
                    CASE w.lot_order
                        WHEN 'EARLIEST_EXPIRY_FIRST' THEN 0
                        WHEN 'PRINCIPAL_FIRST_FIFO' THEN (lot.kind <> 'PRINCIPAL')::INTEGER
                        ELSE (lot.kind = 'PRINCIPAL')::INTEGER
                    END,
                    CASE WHEN w.lot_order <> 'PRINCIPAL_FIRST_FIFO' THEN lot.expires_at END
                        NULLS LAST,
                    CASE
                        WHEN w.lot_order = 'EARLIEST_EXPIRY_FIRST'
                            THEN (lot.kind = 'PRINCIPAL')::INTEGER
                    END,
                    lot.granted_at,
                    lot.id
            ) AS upto
        FROM wallet_lot AS lot
        INNER JOIN wallet AS w ON w.customer_id = lot.customer_id AND w.currency = lot.currency
        WHERE
            lot.kind IN ('PRINCIPAL', 'BONUS')
            AND lot.remaining_minor > 0
            AND lot.remaining_minor > lot.held_minor
            AND (lot.expires_at IS NULL OR lot.expires_at > w.latest)
    ),
    used AS (
        SELECT
            a.ord,
            s.id AS lot_id,
            s.account_id,
            s.currency,
            least(a.upto, s.upto) - greatest(a.upto - a.wanted, s.upto - s.left_minor) AS taken
        FROM asked AS a
        INNER JOIN free AS s
            ON s.customer_id = a.customer_id
            AND s.currency = a.currency
            AND s.upto > a.upto - a.wanted
            AND s.upto - s.left_minor < a.upto
        WHERE NOT a.replayed
    ),
    debit AS (
        SELECT ord, account_id, currency, sum(taken) AS taken
        FROM used
        GROUP BY ord, account_id, currency
    ),
    debits AS (
        SELECT
            d.ord,
            sum(d.taken) AS found,
            jsonb_agg(jsonb_build_array(d.account_id, d.taken, d.currency)) AS postings
        FROM debit AS d
        GROUP BY d.ord
    ),
    uses AS (
        SELECT u.ord, jsonb_agg(jsonb_build_array(u.lot_id, u.taken)) AS uses
        FROM used AS u
        GROUP BY u.ord
    ),
    plan AS (
        SELECT
            a.ord,
            a.body,
            a.customer_id,
            a.currency,
            a.wanted,
            a.replayed,
            coalesce(d.found, 0) AS found,
            d.postings AS debits,
            u.uses
        FROM asked AS a
        LEFT JOIN debits AS d ON d.ord = a.ord
        LEFT JOIN uses AS u ON u.ord = a.ord
    )
    SELECT
        (
            SELECT jsonb_build_object(
                'code', CASE WHEN c.status <> 'ACTIVE' THEN 'customer_frozen' ELSE 'insufficient_funds' END,
                'ord', p.ord,
                'customer', p.customer_id,
                'currency', p.currency,
                'available_minor', p.found
            )
            FROM plan AS p
            LEFT JOIN accounts_customer AS c ON c.id = p.customer_id
            WHERE NOT p.replayed AND (p.found < p.wanted OR c.status <> 'ACTIVE')
            ORDER BY p.ord
            LIMIT 1
        ),
        jsonb_agg(
            p.body || jsonb_build_object(
                'postings',
                CASE
                    WHEN p.replayed THEN '[]'
                    ELSE p.debits || jsonb_build_array(
                        jsonb_build_array((p.body ->> 'to_account')::BIGINT, -p.wanted, p.currency)
                    )
                END,
                'uses',
                CASE WHEN p.replayed THEN '[]' ELSE p.uses END
            )
            ORDER BY p.ord
        )
    INTO refused, entries
    FROM plan AS p;

    IF refused IS NOT NULL THEN
        RETURN jsonb_build_object('refused', refused);
    END IF;
    RETURN wallet_post(entries);
END;
$$;

CREATE OR REPLACE FUNCTION wallet_spend(requests JSONB) RETURNS JSONB
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    complete JSONB;
    missing INTEGER;
    answer JSONB;
BEGIN
    IF jsonb_array_length(requests) = 1 THEN
        complete := jsonb_build_array((requests -> 0) || wallet_spending_terms(requests -> 0));
        missing := CASE WHEN complete -> 0 ->> 'to_account' IS NULL THEN 1 END;
    ELSE
        -- The rules are the same for all of one currency and moment.
        SELECT
            jsonb_agg(r.body || t.terms ORDER BY r.ord),
            min(r.ord) FILTER (WHERE t.terms ->> 'to_account' IS NULL)
        INTO complete, missing
        FROM jsonb_array_elements(requests) WITH ORDINALITY AS r (body, ord)
        LEFT JOIN (
            SELECT d.currency, d.moment, wallet_spending_terms(d.body) AS terms
            FROM (
                SELECT DISTINCT ON (o.body ->> 'currency', o.body ->> 'occurred_at')
                    o.body ->> 'currency' AS currency, o.body ->> 'occurred_at' AS moment, o.body
                FROM jsonb_array_elements(requests) AS o (body)
            ) AS d
        ) AS t ON t.currency = r.body ->> 'currency' AND t.moment = r.body ->> 'occurred_at';
    END IF;
    IF missing IS NOT NULL THEN
        RETURN jsonb_build_object('refused', jsonb_build_object(
            'code', 'no_account', 'ord', missing,
            'currency', requests -> (missing - 1) ->> 'currency'
        ));
    END IF;
    IF jsonb_array_length(requests) = 1 THEN
        answer := wallet_spend_one(complete -> 0);
    ELSE
        answer := wallet_spend_many(complete);
    END IF;
    IF answer ? 'refused' THEN
        RETURN answer;
    END IF;
    RETURN jsonb_build_object('entries', (
        SELECT jsonb_agg(e.row || jsonb_build_array(c.body -> 'policy') ORDER BY e.ord)
        FROM jsonb_array_elements(answer -> 'entries') WITH ORDINALITY AS e (row, ord)
        INNER JOIN jsonb_array_elements(complete) WITH ORDINALITY AS c (body, ord)
            ON c.ord = e.ord
    ));
END;
$$;
