-- The one write path of the journal. Python calls it from wallet/ledger.py and
-- wallet/spending.py; nothing else inserts entries, postings, lots or lot uses.
--
-- It is set-based: one request or a thousand are one round trip. A refusal the business
-- expects comes back as data, {"refused": {"code": …}}, with nothing written, so the caller's
-- transaction lives on.

CREATE TYPE wallet_new_entry AS (
    ord INTEGER,
    id BIGINT,
    body JSONB,
    occurred_at TIMESTAMPTZ,
    explicit BOOLEAN  -- the request names the lots itself
);

CREATE TYPE wallet_new_line AS (
    ord INTEGER,
    entry_id BIGINT,
    posting_id BIGINT,
    account_id BIGINT,
    currency TEXT,
    kind TEXT,
    customer_id BIGINT,
    amount_minor BIGINT,
    change_minor BIGINT,  -- in the account's natural sign
    balance_after_minor BIGINT,
    account_version BIGINT,
    keeps_lots BOOLEAN,
    explicit BOOLEAN
);

CREATE TYPE wallet_new_use AS (posting_id BIGINT, lot_id BIGINT, amount_minor BIGINT);

-- Which lots the debits take: the named ones, else the overlap of what is asked with what is free,
-- both laid end to end per account, earliest expiry first.
CREATE FUNCTION wallet_lots_taken(fresh wallet_new_entry[], lines wallet_new_line[])
RETURNS wallet_new_use[]
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    WITH asked AS (
        SELECT
            l.posting_id,
            l.account_id,
            -l.change_minor AS wanted,
            sum(-l.change_minor) OVER (PARTITION BY l.account_id ORDER BY l.ord) AS upto,
            max(f.occurred_at) OVER (PARTITION BY l.account_id) AS latest
        FROM unnest(lines) AS l
        INNER JOIN unnest(fresh) AS f ON f.id = l.entry_id
        WHERE l.keeps_lots AND NOT l.explicit AND l.change_minor < 0
    ),
    free AS (
        SELECT
            lot.id,
            lot.account_id,
            lot.remaining_minor - lot.held_minor AS left_minor,
            sum(lot.remaining_minor - lot.held_minor) OVER (
                PARTITION BY lot.account_id ORDER BY lot.expires_at NULLS LAST, lot.id
            ) AS upto
        FROM wallet_lot AS lot
        INNER JOIN (SELECT DISTINCT account_id, latest FROM asked) AS d
            ON d.account_id = lot.account_id
        WHERE
            lot.remaining_minor > 0
            AND lot.remaining_minor > lot.held_minor
            AND (lot.expires_at IS NULL OR lot.expires_at > d.latest)
    ),
    taken AS (
        SELECT l.posting_id, lot.id AS lot_id, (u.pair ->> 1)::BIGINT AS amount_minor
        FROM unnest(fresh) AS f
        CROSS JOIN jsonb_array_elements(f.body -> 'uses') AS u (pair)
        INNER JOIN wallet_lot AS lot ON lot.id = (u.pair ->> 0)::BIGINT
        INNER JOIN unnest(lines) AS l ON l.entry_id = f.id AND l.account_id = lot.account_id
        WHERE f.explicit
        UNION ALL
        SELECT
            a.posting_id,
            s.id,
            least(a.upto, s.upto) - greatest(a.upto - a.wanted, s.upto - s.left_minor)
        FROM asked AS a
        INNER JOIN free AS s
            ON s.account_id = a.account_id
            AND s.upto > a.upto - a.wanted
            AND s.upto - s.left_minor < a.upto
    )
    SELECT coalesce(array_agg(ROW(posting_id, lot_id, amount_minor)::wallet_new_use), '{}')
    FROM taken;
$$;

-- requests: [{reference, kind, description, occurred_at, actor, policy, reverses, sha,
--   postings: [[account, amount_minor, currency], …],
--   grant: {origin, expires_at, refundable} | null      how a credit becomes a lot
--   uses: [[lot, amount_minor], …] | null               which lots a debit takes (− gives back)
-- }, …]
-- Without `uses` a debit takes the account's free lots, earliest expiry first.
-- Answers {"entries": [[id, replayed, created_at], …]} in the order asked.
CREATE FUNCTION wallet_post(requests JSONB) RETURNS JSONB
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    fresh wallet_new_entry[];
    wanted_lines INTEGER;
    reused TEXT;
    frozen BOOLEAN;
    lines wallet_new_line[];
    short BOOLEAN;
    debits BOOLEAN;
    credits BOOLEAN;
    uses wallet_new_use[] := '{}';
    refused JSONB;
    written INTEGER;
BEGIN
    -- Lock first, in id order, so that no two calls wait for each other.
    PERFORM 1 FROM wallet_ledgeraccount
    WHERE
        customer_id IS NOT NULL
        AND id = ANY (ARRAY(
            SELECT (p.line ->> 0)::BIGINT
            FROM jsonb_array_elements(requests) AS r (body)
            CROSS JOIN jsonb_array_elements(r.body -> 'postings') AS p (line)
        ))
    ORDER BY id
    FOR NO KEY UPDATE;

    -- A repeated reference with the same content is answered again; other content is refused.
    SELECT
        array_agg(
            ROW(
                r.ord,
                nextval('wallet_journalentry_id_seq'),
                r.body,
                r.body ->> 'occurred_at',
                jsonb_typeof(r.body -> 'uses') = 'array'
            )::wallet_new_entry
            ORDER BY r.ord
        ) FILTER (WHERE e.id IS NULL),
        coalesce(
            sum(jsonb_array_length(r.body -> 'postings')) FILTER (WHERE e.id IS NULL), 0
        ),
        min(e.reference) FILTER (WHERE e.content_sha256 <> r.body ->> 'sha'),
        EXISTS (SELECT 1 FROM wallet_freeze WHERE lifted_at IS NULL)
    INTO fresh, wanted_lines, reused, frozen
    FROM jsonb_array_elements(requests) WITH ORDINALITY AS r (body, ord)
    LEFT JOIN wallet_journalentry AS e ON e.reference = r.body ->> 'reference';

    IF frozen THEN
        RETURN '{"refused": {"code": "money_frozen"}}';
    END IF;
    IF reused IS NOT NULL THEN
        RETURN jsonb_build_object(
            'refused', jsonb_build_object('code', 'reference_reused', 'reference', reused)
        );
    END IF;

    -- Every line with the balance it leaves behind.
    SELECT
        array_agg(
            ROW(
                w.ord, w.entry_id, nextval('wallet_posting_id_seq'), w.account_id, w.currency,
                w.kind, w.customer_id, w.amount_minor, w.change_minor, w.balance_after,
                w.account_version, w.keeps_lots, w.explicit
            )::wallet_new_line
            ORDER BY w.ord, w.account_id
        ),
        bool_or(w.change_minor < 0 AND w.balance_after - w.held_minor < w.minimum_minor),
        bool_or(w.keeps_lots AND (w.explicit OR w.change_minor < 0)),
        bool_or(w.keeps_lots AND NOT w.explicit AND w.change_minor > 0)
    INTO lines, short, debits, credits
    FROM (
        SELECT
            f.ord,
            f.id AS entry_id,
            a.id AS account_id,
            a.currency,
            a.kind,
            a.customer_id,
            a.held_minor,
            a.minimum_minor,
            (p.line ->> 1)::BIGINT AS amount_minor,
            a.sign * (p.line ->> 1)::BIGINT AS change_minor,
            a.balance_minor + sum(a.sign * (p.line ->> 1)::BIGINT) OVER running AS balance_after,
            a.version + row_number() OVER running AS account_version,
            a.kind IN ('PRINCIPAL', 'BONUS', 'POINTS') AS keeps_lots,
            f.explicit
        FROM unnest(fresh) AS f
        CROSS JOIN jsonb_array_elements(f.body -> 'postings') AS p (line)
        INNER JOIN wallet_ledgeraccount AS a
            ON a.id = (p.line ->> 0)::BIGINT AND a.currency = p.line ->> 2
        WINDOW running AS (PARTITION BY a.id ORDER BY f.ord)
    ) AS w;

    IF coalesce(cardinality(lines), 0) <> wanted_lines THEN
        RETURN '{"refused": {"code": "currency_mismatch"}}';
    END IF;
    IF short THEN
        SELECT jsonb_build_object(
            'code', 'insufficient_funds', 'ord', l.ord, 'account', l.account_id,
            'currency', a.currency,
            'available_minor', a.balance_minor - a.held_minor - a.minimum_minor
        )
        INTO refused
        FROM unnest(lines) AS l
        INNER JOIN wallet_ledgeraccount AS a ON a.id = l.account_id
        WHERE l.change_minor < 0 AND l.balance_after_minor - a.held_minor < a.minimum_minor
        ORDER BY l.ord
        LIMIT 1;
        RETURN jsonb_build_object('refused', refused);
    END IF;

    IF debits THEN
        uses := wallet_lots_taken(fresh, lines);

        -- The lots must move exactly as their accounts do.
        SELECT jsonb_build_object(
            'code', CASE WHEN l.explicit THEN 'lots_mismatch' ELSE 'insufficient_funds' END,
            'ord', l.ord, 'account', l.account_id, 'currency', l.currency,
            'available_minor', coalesce(sum(u.amount_minor), 0)
        )
        INTO refused
        FROM unnest(lines) AS l
        LEFT JOIN unnest(uses) AS u ON u.posting_id = l.posting_id
        WHERE l.keeps_lots AND (l.explicit OR l.change_minor < 0)
        GROUP BY l.posting_id, l.ord, l.account_id, l.currency, l.change_minor, l.explicit
        HAVING coalesce(sum(u.amount_minor), 0) <> -l.change_minor
        ORDER BY l.ord
        LIMIT 1;
        IF FOUND THEN
            RETURN jsonb_build_object('refused', refused);
        END IF;
    END IF;

    -- Write. A twin that came between our look and our insert is left to win; ask again.
    INSERT INTO wallet_journalentry (
        id, reference, kind, description, customer_id, occurred_at, actor_id, policy_id,
        reverses_id, content_sha256
    )
    SELECT
        f.id,
        f.body ->> 'reference',
        f.body ->> 'kind',
        f.body ->> 'description',
        c.customer_id,
        f.occurred_at,
        (f.body ->> 'actor')::BIGINT,
        (f.body ->> 'policy')::BIGINT,
        (f.body ->> 'reverses')::BIGINT,
        f.body ->> 'sha'
    FROM unnest(fresh) AS f
    LEFT JOIN (
        SELECT entry_id, min(customer_id) AS customer_id FROM unnest(lines) GROUP BY entry_id
    ) AS c ON c.entry_id = f.id
    ORDER BY f.ord
    ON CONFLICT (reference) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> coalesce(cardinality(fresh), 0) THEN
        RAISE EXCEPTION 'A twin of this entry was posted at the same moment'
            USING ERRCODE = 'serialization_failure';
    END IF;

    UPDATE wallet_ledgeraccount AS a
    SET balance_minor = l.balance_after_minor, version = l.account_version
    FROM (
        SELECT DISTINCT ON (account_id) account_id, balance_after_minor, account_version
        FROM unnest(lines)
        WHERE customer_id IS NOT NULL
        ORDER BY account_id, account_version DESC
    ) AS l
    WHERE a.id = l.account_id;

    INSERT INTO wallet_posting (
        id, entry_id, account_id, currency, amount_minor, balance_after_minor, account_version
    )
    SELECT
        l.posting_id,
        l.entry_id,
        l.account_id,
        l.currency,
        l.amount_minor,
        CASE WHEN l.customer_id IS NOT NULL THEN l.balance_after_minor END,
        CASE WHEN l.customer_id IS NOT NULL THEN l.account_version END
    FROM unnest(lines) AS l;

    IF credits THEN
        INSERT INTO wallet_lot (
            customer_id, account_id, entry_id, kind, origin, currency, granted_minor, remaining_minor,
            held_minor, granted_at, expires_at, refundable
        )
        SELECT
            l.customer_id,
            l.account_id,
            l.entry_id,
            l.kind,
            coalesce(f.body -> 'grant' ->> 'origin', 'OTHER'),
            l.currency,
            l.change_minor,
            l.change_minor,
            0,
            f.occurred_at,
            (f.body -> 'grant' ->> 'expires_at')::TIMESTAMPTZ,
            coalesce((f.body -> 'grant' ->> 'refundable')::BOOLEAN, FALSE)
        FROM unnest(lines) AS l
        INNER JOIN unnest(fresh) AS f ON f.id = l.entry_id
        WHERE l.keeps_lots AND NOT l.explicit AND l.change_minor > 0
        ORDER BY l.ord, l.account_id;
    END IF;

    IF cardinality(uses) > 0 THEN
        UPDATE wallet_lot AS lot
        SET remaining_minor = lot.remaining_minor - u.taken
        FROM (
            SELECT lot_id, sum(amount_minor) AS taken FROM unnest(uses) GROUP BY lot_id
        ) AS u
        WHERE lot.id = u.lot_id;

        INSERT INTO wallet_lotuse (posting_id, lot_id, amount_minor)
        SELECT u.posting_id, u.lot_id, u.amount_minor FROM unnest(uses) AS u;
    END IF;

    IF jsonb_array_length(requests) = 1 AND cardinality(fresh) = 1 THEN
        RETURN jsonb_build_object(
            'entries', jsonb_build_array(jsonb_build_array(fresh[1].id, FALSE, now()))
        );
    END IF;
    RETURN jsonb_build_object('entries', (
        SELECT coalesce(jsonb_agg(
            jsonb_build_array(e.id, f.id IS NULL, e.created_at) ORDER BY r.ord
        ), '[]')
        FROM jsonb_array_elements(requests) WITH ORDINALITY AS r (body, ord)
        INNER JOIN wallet_journalentry AS e ON e.reference = r.body ->> 'reference'
        LEFT JOIN unnest(fresh) AS f ON f.id = e.id AND f.ord = r.ord
    ));
END;
$$;

-- Take money from whole wallets, bonus and principal, in the order their policy says.
--
-- requests: [{reference, kind, description, customer, currency, amount_minor, lot_order,
--   to_account, occurred_at, actor, policy, sha}, …]
-- Free lots of each customer are laid end to end in lot_order, what is asked beside them; the
-- overlaps are the lot uses, their sums per account the postings.
CREATE FUNCTION wallet_spend(requests JSONB) RETURNS JSONB
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
        SELECT ord, account_id, sum(taken) AS taken FROM used GROUP BY ord, account_id
    ),
    plan AS (
        SELECT
            a.ord,
            a.body,
            a.customer_id,
            a.currency,
            a.wanted,
            a.replayed,
            coalesce((SELECT sum(d.taken) FROM debit AS d WHERE d.ord = a.ord), 0) AS found,
            (
                SELECT jsonb_agg(jsonb_build_array(d.account_id, d.taken, a.currency))
                FROM debit AS d WHERE d.ord = a.ord
            ) AS debits,
            (
                SELECT jsonb_agg(jsonb_build_array(u.lot_id, u.taken))
                FROM used AS u WHERE u.ord = a.ord
            ) AS uses
        FROM asked AS a
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
