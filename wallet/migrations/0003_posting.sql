-- The one write path of the journal. Python calls wallet_post and wallet_spend from wallet/ledger.py
-- and wallet/spending.py; nothing else inserts entries, postings, lots or lot uses.
--
-- One request or a thousand are one round trip. Many are written set by set; a single one, by far the
-- most frequent call, statement by statement: its plans are made once per session, where those of sets
-- are made anew for every call. tests/wallet/test_write_path.py proves that both write the same rows.
-- A refusal the business expects comes back as data, {"refused": {"code": …}}, with nothing written, so
-- the caller's transaction lives on.

-- What wallet_post_many has in hand on its way.
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

-- Many requests of wallet_post, set by set.
CREATE FUNCTION wallet_post_many(requests JSONB) RETURNS JSONB
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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

-- What a request is answered that was made before, or while all money is frozen; NULL when neither.
CREATE FUNCTION wallet_answered(body JSONB) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    known RECORD;
BEGIN
    IF EXISTS (SELECT FROM wallet_freeze WHERE lifted_at IS NULL) THEN
        RETURN '{"refused": {"code": "money_frozen"}}';
    END IF;
    SELECT e.id, e.content_sha256, e.created_at INTO known
    FROM wallet_journalentry AS e WHERE e.reference = body ->> 'reference';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF known.content_sha256 <> body ->> 'sha' THEN
        RETURN jsonb_build_object(
            'refused',
            jsonb_build_object('code', 'reference_reused', 'reference', body ->> 'reference')
        );
    END IF;
    RETURN jsonb_build_object(
        'entries', jsonb_build_array(jsonb_build_array(known.id, TRUE, known.created_at))
    );
END;
$$;

-- Write one entry whose accounts are locked and looked at; answer as wallet_post does.
--
-- accounts, currencies, amounts: its postings. balances, versions: what they leave behind, NULL on
-- system accounts. lots, takes: what they take from which lots.
-- A reference that was there already is answered and nothing is written: it is not looked up before it
-- is inserted, for what one entry costs is the statements it takes.
CREATE FUNCTION wallet_write(
    body JSONB, customer BIGINT, policy BIGINT, accounts BIGINT[], currencies TEXT[],
    amounts BIGINT[], balances BIGINT[], versions BIGINT[], lots BIGINT[], takes BIGINT[]
) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    entry BIGINT;
    created TIMESTAMPTZ;
    answer JSONB;
    uses INTEGER;
BEGIN
    INSERT INTO wallet_journalentry (
        reference, kind, description, customer_id, occurred_at, actor_id, policy_id, reverses_id,
        content_sha256
    )
    SELECT
        body ->> 'reference', body ->> 'kind', body ->> 'description', customer,
        (body ->> 'occurred_at')::TIMESTAMPTZ, (body ->> 'actor')::BIGINT, policy,
        (body ->> 'reverses')::BIGINT, body ->> 'sha'
    WHERE NOT EXISTS (SELECT FROM wallet_freeze WHERE lifted_at IS NULL)
    ON CONFLICT (reference) DO NOTHING
    RETURNING id, created_at INTO entry, created;
    IF entry IS NULL THEN
        answer := wallet_answered(body);
        IF answer IS NULL THEN
            RAISE EXCEPTION 'A twin of this entry was posted at the same moment'
                USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN answer;
    END IF;

    FOR place IN 1 .. cardinality(versions) LOOP
        CONTINUE WHEN versions[place] IS NULL;
        UPDATE wallet_ledgeraccount
        SET balance_minor = balances[place], version = versions[place]
        WHERE id = accounts[place];
    END LOOP;

    INSERT INTO wallet_posting (
        entry_id, account_id, currency, amount_minor, balance_after_minor, account_version
    )
    SELECT entry, l.account_id, l.currency, l.amount_minor, l.balance_after_minor, l.account_version
    FROM unnest(accounts, currencies, amounts, balances, versions)
        AS l (account_id, currency, amount_minor, balance_after_minor, account_version);

    uses := 0;
    FOR place IN 1 .. cardinality(lots) LOOP
        WITH taken AS (
            UPDATE wallet_lot
            SET remaining_minor = remaining_minor - takes[place]
            WHERE id = lots[place]
            RETURNING account_id
        )
        INSERT INTO wallet_lotuse (posting_id, lot_id, amount_minor)
        SELECT p.id, lots[place], takes[place]
        FROM taken AS t
        INNER JOIN wallet_posting AS p ON p.entry_id = entry AND p.account_id = t.account_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Lot % lies in no account of entry %', lots[place], entry
                USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_lotuse_is_of_its_account';
        END IF;
    END LOOP;

    RETURN jsonb_build_object(
        'entries', jsonb_build_array(jsonb_build_array(entry, FALSE, created))
    );
END;
$$;

-- One request of wallet_post.
CREATE FUNCTION wallet_post_one(body JSONB) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    lines CONSTANT JSONB := body -> 'postings';
    explicit CONSTANT BOOLEAN := jsonb_typeof(body -> 'uses') = 'array';
    occurred CONSTANT TIMESTAMPTZ := body ->> 'occurred_at';
    line JSONB;
    ids BIGINT[] := '{}';
    amounts BIGINT[] := '{}';
    currencies TEXT[] := '{}';
    balances BIGINT[] := '{}';
    versions BIGINT[] := '{}';
    lots BIGINT[] := '{}';
    takes BIGINT[] := '{}';
    credited INTEGER[] := '{}';
    kinds TEXT[] := '{}';
    account RECORD;
    amount BIGINT;
    astray BOOLEAN := FALSE;
    concerned BIGINT;
    change BIGINT;
    covered BIGINT;
    free RECORD;
    short JSONB;
    mismatch JSONB;
    answer JSONB;
BEGIN
    IF explicit THEN
        FOR place IN 0 .. jsonb_array_length(body -> 'uses') - 1 LOOP
            line := body -> 'uses' -> place;
            lots := lots || (line ->> 0)::BIGINT;
            takes := takes || (line ->> 1)::BIGINT;
        END LOOP;
    END IF;

    -- Lock the customer's accounts; the lines come in the order of their ids. System accounts keep no
    -- balance and are never locked. One plan for each line is kept, for any number of lines none is.
    FOR place IN 1 .. jsonb_array_length(lines) LOOP
        line := lines -> (place - 1);
        ids := ids || (line ->> 0)::BIGINT;
        amount := line ->> 1;
        amounts := amounts || amount;
        currencies := currencies || (line ->> 2);
        SELECT
            a.id, a.kind, a.sign, a.customer_id, a.balance_minor, a.held_minor, a.minimum_minor,
            a.version
        INTO account
        FROM wallet_ledgeraccount AS a
        WHERE a.id = ids[place] AND a.currency = currencies[place] AND a.customer_id IS NOT NULL
        FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            PERFORM FROM wallet_ledgeraccount AS a
            WHERE a.id = ids[place] AND a.currency = currencies[place] AND a.customer_id IS NULL;
            astray := astray OR NOT FOUND;
            balances := balances || NULL::BIGINT;
            versions := versions || NULL::BIGINT;
            CONTINUE;
        END IF;
        change := account.sign * amount;
        concerned := account.customer_id;
        balances := balances || (account.balance_minor + change);
        versions := versions || (account.version + 1);
        IF change < 0 AND short IS NULL
            AND account.balance_minor + change - account.held_minor < account.minimum_minor THEN
            short := jsonb_build_object(
                'code', 'insufficient_funds', 'ord', 1, 'account', account.id,
                'currency', currencies[place], 'available_minor',
                account.balance_minor - account.held_minor - account.minimum_minor
            );
        END IF;

        -- The lots must move exactly as their accounts do.
        CONTINUE WHEN account.kind NOT IN ('PRINCIPAL', 'BONUS', 'POINTS');
        IF explicit THEN
            SELECT coalesce(sum(takes[array_position(lots, lot.id)]), 0) INTO covered
            FROM wallet_lot AS lot
            WHERE lot.id = ANY (lots) AND lot.account_id = account.id;
        ELSIF change > 0 THEN
            credited := credited || place;
            kinds := kinds || account.kind::TEXT;
            CONTINUE;
        ELSE
            covered := 0;
            FOR free IN
                SELECT lot.id, lot.remaining_minor - lot.held_minor AS left_minor
                FROM wallet_lot AS lot
                WHERE
                    lot.account_id = account.id
                    AND lot.remaining_minor > 0
                    AND lot.remaining_minor > lot.held_minor
                    AND (lot.expires_at IS NULL OR lot.expires_at > occurred)
                ORDER BY lot.expires_at NULLS LAST, lot.id
            LOOP
                EXIT WHEN covered = -change;
                lots := lots || free.id;
                takes := takes || least(-change - covered, free.left_minor);
                covered := covered + least(-change - covered, free.left_minor);
            END LOOP;
        END IF;
        IF covered <> -change AND mismatch IS NULL THEN
            mismatch := jsonb_build_object(
                'code', CASE WHEN explicit THEN 'lots_mismatch' ELSE 'insufficient_funds' END,
                'ord', 1, 'account', account.id, 'currency', currencies[place],
                'available_minor', covered
            );
        END IF;
    END LOOP;
    IF astray THEN
        short := '{"code": "currency_mismatch"}';
    END IF;
    short := coalesce(short, mismatch);
    IF short IS NOT NULL THEN
        RETURN coalesce(wallet_answered(body), jsonb_build_object('refused', short));
    END IF;

    -- Write.
    answer := wallet_write(
        body, concerned, (body ->> 'policy')::BIGINT, ids, currencies, amounts, balances, versions,
        lots, takes
    );
    IF cardinality(credited) > 0 AND answer -> 'entries' -> 0 ->> 1 = 'false' THEN
        FOR n IN 1 .. cardinality(credited) LOOP
            INSERT INTO wallet_lot (
                customer_id, account_id, entry_id, kind, origin, currency, granted_minor,
                remaining_minor, held_minor, granted_at, expires_at, refundable
            )
            VALUES (
                concerned, ids[credited[n]], (answer -> 'entries' -> 0 ->> 0)::BIGINT, kinds[n],
                coalesce(body -> 'grant' ->> 'origin', 'OTHER'), currencies[credited[n]],
                abs(amounts[credited[n]]), abs(amounts[credited[n]]), 0, occurred,
                (body -> 'grant' ->> 'expires_at')::TIMESTAMPTZ,
                coalesce((body -> 'grant' ->> 'refundable')::BOOLEAN, FALSE)
            );
        END LOOP;
    END IF;
    RETURN answer;
END;
$$;

-- Post entries.
--
-- requests: [{reference, kind, description, occurred_at, actor, policy, reverses, sha,
--   postings: [[account, amount_minor, currency], …],
--   grant: {origin, expires_at, refundable} | null      how a credit becomes a lot
--   uses: [[lot, amount_minor], …] | null               which lots a debit takes (− gives back)
-- }, …]
-- Without `uses` a debit takes the account's free lots, earliest expiry first.
-- Answers {"entries": [[id, replayed, created_at], …]} in the order asked.
CREATE FUNCTION wallet_post(requests JSONB) RETURNS JSONB
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF jsonb_array_length(requests) = 1 THEN
        RETURN wallet_post_one(requests -> 0);
    END IF;
    RETURN wallet_post_many(requests);
END;
$$;
