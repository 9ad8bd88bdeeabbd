-- The overlap of one debit with its account's free lots, earliest expiry first.
CREATE OR REPLACE FUNCTION wallet_lots_of(account BIGINT, wanted BIGINT, at TIMESTAMPTZ) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    free RECORD;
    taken BIGINT;
    uses JSONB := '[]';
BEGIN
    FOR free IN
        SELECT lot.id, lot.remaining_minor - lot.held_minor AS left_minor
        FROM wallet_lot AS lot
        WHERE
            lot.account_id = wallet_lots_of.account
            AND lot.remaining_minor > 0
            AND lot.remaining_minor > lot.held_minor
            AND (lot.expires_at IS NULL OR lot.expires_at > wallet_lots_of.at)
        ORDER BY lot.expires_at NULLS LAST, lot.id
    LOOP
        EXIT WHEN wanted = 0;
        taken := least(wanted, free.left_minor);
        wanted := wanted - taken;
        uses := uses || jsonb_build_array(jsonb_build_array(free.id, taken));
    END LOOP;
    RETURN uses;
END;
$$;

-- One request of wallet_post. Its postings come in the order of their accounts' ids, and are locked so.
CREATE OR REPLACE FUNCTION wallet_post_one(body JSONB) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    lines CONSTANT JSONB := body -> 'postings';
    explicit CONSTANT BOOLEAN := jsonb_typeof(body -> 'uses') = 'array';
    occurred CONSTANT TIMESTAMPTZ := body ->> 'occurred_at';
    uses JSONB := CASE WHEN explicit THEN body -> 'uses' ELSE '[]' END;
    concerned BIGINT;
    known RECORD;
    account wallet_ledgeraccount;
    accounts wallet_ledgeraccount[];
    change BIGINT;
    changes BIGINT[];
    keeps_lots BOOLEAN;
    covered BIGINT;
    taken JSONB;
    entry BIGINT;
    posting BIGINT;
    postings JSONB;
BEGIN
    -- Lock the customer's accounts; system accounts keep no balance and are never locked.
    FOR place IN 0 .. jsonb_array_length(lines) - 1 LOOP
        SELECT a.* INTO account FROM wallet_ledgeraccount AS a
        WHERE a.id = (lines -> place ->> 0)::BIGINT AND a.customer_id IS NOT NULL
        FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            SELECT a.* INTO account FROM wallet_ledgeraccount AS a
            WHERE a.id = (lines -> place ->> 0)::BIGINT;
        END IF;
        accounts := accounts || account;
        changes := changes || account.sign * (lines -> place ->> 1)::BIGINT;
        concerned := coalesce(concerned, account.customer_id);
    END LOOP;

    IF EXISTS (SELECT FROM wallet_freeze WHERE lifted_at IS NULL) THEN
        RETURN '{"refused": {"code": "money_frozen"}}';
    END IF;
    SELECT e.id, e.content_sha256, e.created_at INTO known
    FROM wallet_journalentry AS e WHERE e.reference = body ->> 'reference';
    IF FOUND THEN
        IF known.content_sha256 <> body ->> 'sha' THEN
            RETURN jsonb_build_object(
                'refused',
                jsonb_build_object('code', 'reference_reused', 'reference', body ->> 'reference')
            );
        END IF;
        RETURN jsonb_build_object(
            'entries', jsonb_build_array(jsonb_build_array(known.id, TRUE, known.created_at))
        );
    END IF;

    FOR place IN 1 .. cardinality(accounts) LOOP
        account := accounts[place];
        IF account.id IS NULL OR account.currency <> lines -> (place - 1) ->> 2 THEN
            RETURN '{"refused": {"code": "currency_mismatch"}}';
        END IF;
    END LOOP;
    FOR place IN 1 .. cardinality(accounts) LOOP
        account := accounts[place];
        change := changes[place];
        IF change < 0
            AND account.balance_minor + change - account.held_minor < account.minimum_minor THEN
            RETURN jsonb_build_object('refused', jsonb_build_object(
                'code', 'insufficient_funds', 'ord', 1, 'account', account.id,
                'currency', account.currency, 'available_minor',
                account.balance_minor - account.held_minor - account.minimum_minor
            ));
        END IF;
    END LOOP;

    -- The lots must move exactly as their accounts do.
    FOR place IN 1 .. cardinality(accounts) LOOP
        account := accounts[place];
        change := changes[place];
        keeps_lots := account.kind IN ('PRINCIPAL', 'BONUS', 'POINTS');
        CONTINUE WHEN NOT keeps_lots OR NOT explicit AND change > 0;
        IF explicit THEN
            SELECT coalesce(sum((u.pair ->> 1)::BIGINT), 0) INTO covered
            FROM jsonb_array_elements(uses) AS u (pair)
            INNER JOIN wallet_lot AS lot ON lot.id = (u.pair ->> 0)::BIGINT
            WHERE lot.account_id = account.id;
        ELSE
            taken := wallet_lots_of(account.id, -change, occurred);
            uses := uses || taken;
            SELECT coalesce(sum((u.pair ->> 1)::BIGINT), 0) INTO covered
            FROM jsonb_array_elements(taken) AS u (pair);
        END IF;
        IF covered <> -change THEN
            RETURN jsonb_build_object('refused', jsonb_build_object(
                'code', CASE WHEN explicit THEN 'lots_mismatch' ELSE 'insufficient_funds' END,
                'ord', 1, 'account', account.id, 'currency', account.currency,
                'available_minor', covered
            ));
        END IF;
    END LOOP;

    -- Write. A twin that came between our look and our insert is left to win; ask again.
    INSERT INTO wallet_journalentry (
        reference, kind, description, customer_id, occurred_at, actor_id, policy_id, reverses_id,
        content_sha256
    )
    VALUES (
        body ->> 'reference', body ->> 'kind', body ->> 'description', concerned, occurred,
        (body ->> 'actor')::BIGINT, (body ->> 'policy')::BIGINT, (body ->> 'reverses')::BIGINT,
        body ->> 'sha'
    )
    ON CONFLICT (reference) DO NOTHING
    RETURNING id INTO entry;
    IF entry IS NULL THEN
        RAISE EXCEPTION 'A twin of this entry was posted at the same moment'
            USING ERRCODE = 'serialization_failure';
    END IF;

    FOR place IN 1 .. cardinality(accounts) LOOP
        account := accounts[place];
        CONTINUE WHEN account.customer_id IS NULL;
        accounts[place].balance_minor := account.balance_minor + changes[place];
        accounts[place].version := account.version + 1;
        UPDATE wallet_ledgeraccount
        SET balance_minor = account.balance_minor + changes[place], version = account.version + 1
        WHERE id = account.id;
    END LOOP;

    WITH written AS (
        INSERT INTO wallet_posting (
            entry_id, account_id, currency, amount_minor, balance_after_minor, account_version
        )
        SELECT
            entry, a.id, a.currency, (lines -> (a.ordinality::INTEGER - 1) ->> 1)::BIGINT,
            a.balance_minor, a.version
        FROM unnest(accounts) WITH ORDINALITY AS a
        RETURNING id, account_id
    )
    SELECT jsonb_object_agg(w.account_id, w.id) INTO postings FROM written AS w;

    FOR place IN 1 .. cardinality(accounts) LOOP
        account := accounts[place];
        CONTINUE WHEN explicit OR changes[place] < 0
            OR account.kind NOT IN ('PRINCIPAL', 'BONUS', 'POINTS');
        INSERT INTO wallet_lot (
            customer_id, account_id, entry_id, kind, origin, currency, granted_minor,
            remaining_minor, held_minor, granted_at, expires_at, refundable
        )
        VALUES (
            account.customer_id, account.id, entry, account.kind,
            coalesce(body -> 'grant' ->> 'origin', 'OTHER'), account.currency, changes[place],
            changes[place], 0, occurred, (body -> 'grant' ->> 'expires_at')::TIMESTAMPTZ,
            coalesce((body -> 'grant' ->> 'refundable')::BOOLEAN, FALSE)
        );
    END LOOP;

    FOR place IN 0 .. jsonb_array_length(uses) - 1 LOOP
        UPDATE wallet_lot
        SET remaining_minor = remaining_minor - (uses -> place ->> 1)::BIGINT
        WHERE id = (uses -> place ->> 0)::BIGINT
        RETURNING (postings ->> account_id::TEXT)::BIGINT INTO posting;
        INSERT INTO wallet_lotuse (posting_id, lot_id, amount_minor)
        VALUES (posting, (uses -> place ->> 0)::BIGINT, (uses -> place ->> 1)::BIGINT);
    END LOOP;

    RETURN jsonb_build_object(
        'entries', jsonb_build_array(jsonb_build_array(entry, FALSE, now()))
    );
END;
$$;

-- One request of wallet_spend, its terms included.
CREATE OR REPLACE FUNCTION wallet_spend_one(body JSONB) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    wallet CONSTANT BIGINT := (body ->> 'customer')::BIGINT;
    money CONSTANT TEXT := body ->> 'currency';
    occurred CONSTANT TIMESTAMPTZ := body ->> 'occurred_at';
    lot_order CONSTANT TEXT := body ->> 'lot_order';
    wanted CONSTANT BIGINT := (body ->> 'amount_minor')::BIGINT;
    missing BIGINT := wanted;
    taken BIGINT;
    free RECORD;
    state TEXT;
    uses JSONB := '[]';
    debits JSONB := '{}';
    lines JSONB;
BEGIN
    PERFORM FROM wallet_ledgeraccount AS a
    WHERE a.customer_id = wallet AND a.currency = money AND a.kind IN ('PRINCIPAL', 'BONUS')
    ORDER BY a.id
    FOR NO KEY UPDATE;

    IF EXISTS (SELECT FROM wallet_journalentry AS e WHERE e.reference = body ->> 'reference') THEN
        RETURN wallet_post_one(body || '{"postings": [], "uses": []}');
    END IF;

    FOR free IN
        SELECT lot.id, lot.account_id, lot.remaining_minor - lot.held_minor AS left_minor
        FROM wallet_lot AS lot
        WHERE
            lot.customer_id = wallet
            AND lot.currency = money
            AND lot.kind IN ('PRINCIPAL', 'BONUS')
            AND lot.remaining_minor > 0
            AND lot.remaining_minor > lot.held_minor
            AND (lot.expires_at IS NULL OR lot.expires_at > occurred)
        ORDER BY
            CASE lot_order
                WHEN 'EARLIEST_EXPIRY_FIRST' THEN 0
                WHEN 'PRINCIPAL_FIRST_FIFO' THEN (lot.kind <> 'PRINCIPAL')::INTEGER
                ELSE (lot.kind = 'PRINCIPAL')::INTEGER
            END,
            CASE WHEN lot_order <> 'PRINCIPAL_FIRST_FIFO' THEN lot.expires_at END NULLS LAST,
            CASE
                WHEN lot_order = 'EARLIEST_EXPIRY_FIRST' THEN (lot.kind = 'PRINCIPAL')::INTEGER
            END,
            lot.granted_at,
            lot.id
    LOOP
        EXIT WHEN missing = 0;
        taken := least(missing, free.left_minor);
        missing := missing - taken;
        uses := uses || jsonb_build_array(jsonb_build_array(free.id, taken));
        debits := debits || jsonb_build_object(
            free.account_id, coalesce((debits ->> free.account_id::TEXT)::BIGINT, 0) + taken
        );
    END LOOP;

    SELECT c.status INTO state FROM accounts_customer AS c WHERE c.id = wallet;
    IF missing > 0 OR state <> 'ACTIVE' THEN
        RETURN jsonb_build_object('refused', jsonb_build_object(
            'code', CASE WHEN state <> 'ACTIVE' THEN 'customer_frozen' ELSE 'insufficient_funds' END,
            'ord', 1, 'customer', wallet, 'currency', money, 'available_minor', wanted - missing
        ));
    END IF;

    SELECT jsonb_agg(
        jsonb_build_array(d.account::BIGINT, d.taken, money) ORDER BY d.account::BIGINT
    )
    INTO lines
    FROM jsonb_each_text(debits) AS d (account, taken);
    RETURN wallet_post_one(body || jsonb_build_object(
        'postings',
        lines || jsonb_build_array(
            jsonb_build_array((body ->> 'to_account')::BIGINT, -wanted, money)
        ),
        'uses', uses
    ));
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

DROP FUNCTION wallet_write(
    JSONB, BIGINT, BIGINT, BIGINT[], TEXT[], BIGINT[], BIGINT[], BIGINT[], BIGINT[], BIGINT[]
);
DROP FUNCTION wallet_answered(JSONB);
