-- What one entry costs is the statements it takes. So its reference is not looked up before it is
-- inserted, accounts are locked and read in one go, a charge is not handed on as JSON to be read,
-- locked and added up again, and lots and their uses are written together.

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
-- A reference that was there already is answered and nothing is written.
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
CREATE OR REPLACE FUNCTION wallet_post_one(body JSONB) RETURNS JSONB
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

-- One request of wallet_spend.
CREATE OR REPLACE FUNCTION wallet_spend_one(body JSONB) RETURNS JSONB
LANGUAGE plpgsql AS $$
DECLARE
    wallet CONSTANT BIGINT := (body ->> 'customer')::BIGINT;
    money CONSTANT TEXT := body ->> 'currency';
    occurred CONSTANT TIMESTAMPTZ := body ->> 'occurred_at';
    wanted CONSTANT BIGINT := (body ->> 'amount_minor')::BIGINT;
    missing BIGINT := wanted;
    terms RECORD;
    account RECORD;
    free RECORD;
    place INTEGER;
    taken BIGINT;
    known BIGINT[] := '{}';
    free_minor BIGINT[] := '{}';  -- of each account, below what is held
    balance BIGINT[] := '{}';
    version BIGINT[] := '{}';
    debit BIGINT[] := '{}';
    ids BIGINT[] := '{}';
    currencies TEXT[] := '{}';
    amounts BIGINT[] := '{}';
    balances BIGINT[] := '{}';
    versions BIGINT[] := '{}';
    lots BIGINT[] := '{}';
    takes BIGINT[] := '{}';
    answer JSONB;
BEGIN
    SELECT
        p.id AS policy,
        p.consumption_order AS lot_order,
        (SELECT a.id FROM wallet_ledgeraccount AS a WHERE a.code = 'SYS:SPENT:' || money) AS spent,
        (SELECT c.status FROM accounts_customer AS c WHERE c.id = wallet) AS status
    INTO terms
    FROM wallet_walletpolicy AS p
    WHERE p.currency = money AND p.valid_from <= occurred
    ORDER BY p.valid_from DESC
    LIMIT 1;
    IF terms.spent IS NULL THEN
        RETURN jsonb_build_object(
            'refused', jsonb_build_object('code', 'no_account', 'ord', 1, 'currency', money)
        );
    END IF;

    -- From here until COMMIT nobody else spends from this wallet.
    FOR account IN
        SELECT a.id, a.balance_minor, a.held_minor, a.minimum_minor, a.version
        FROM wallet_ledgeraccount AS a
        WHERE a.customer_id = wallet AND a.currency = money AND a.kind IN ('PRINCIPAL', 'BONUS')
        ORDER BY a.id
        FOR NO KEY UPDATE
    LOOP
        known := known || account.id;
        free_minor := free_minor
            || (account.balance_minor - account.held_minor - account.minimum_minor);
        balance := balance || account.balance_minor;
        version := version || account.version;
        debit := debit || 0::BIGINT;
    END LOOP;

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
            CASE terms.lot_order
                WHEN 'EARLIEST_EXPIRY_FIRST' THEN 0
                WHEN 'PRINCIPAL_FIRST_FIFO' THEN (lot.kind <> 'PRINCIPAL')::INTEGER
                ELSE (lot.kind = 'PRINCIPAL')::INTEGER
            END,
            CASE WHEN terms.lot_order <> 'PRINCIPAL_FIRST_FIFO' THEN lot.expires_at END NULLS LAST,
            CASE
                WHEN terms.lot_order = 'EARLIEST_EXPIRY_FIRST' THEN (lot.kind = 'PRINCIPAL')::INTEGER
            END,
            lot.granted_at,
            lot.id
    LOOP
        EXIT WHEN missing = 0;
        taken := least(missing, free.left_minor);
        missing := missing - taken;
        lots := lots || free.id;
        takes := takes || taken;
        place := array_position(known, free.account_id);
        debit[place] := debit[place] + taken;
    END LOOP;

    FOR place IN 1 .. cardinality(known) LOOP
        CONTINUE WHEN debit[place] = 0;
        missing := missing + greatest(debit[place] - free_minor[place], 0);
        ids := ids || known[place];
        currencies := currencies || money;
        amounts := amounts || debit[place];
        balances := balances || (balance[place] - debit[place]);
        versions := versions || (version[place] + 1);
    END LOOP;

    IF missing > 0 OR terms.status <> 'ACTIVE' THEN
        IF EXISTS (SELECT FROM wallet_journalentry AS e WHERE e.reference = body ->> 'reference') THEN
            answer := wallet_answered(body);
        END IF;
        answer := coalesce(answer, jsonb_build_object('refused', jsonb_build_object(
            'code',
            CASE WHEN terms.status <> 'ACTIVE' THEN 'customer_frozen' ELSE 'insufficient_funds' END,
            'ord', 1, 'customer', wallet, 'currency', money, 'available_minor', wanted - missing
        )));
    ELSE
        -- Write.
        answer := wallet_write(
            body, wallet, terms.policy, ids || terms.spent, currencies || money, amounts || -wanted,
            balances, versions, lots, takes
        );
    END IF;
    IF answer ? 'refused' THEN
        RETURN answer;
    END IF;
    RETURN jsonb_build_object(
        'entries', jsonb_build_array((answer -> 'entries' -> 0) || to_jsonb(terms.policy))
    );
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
        RETURN wallet_spend_one(requests -> 0);
    END IF;
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
    IF missing IS NOT NULL THEN
        RETURN jsonb_build_object('refused', jsonb_build_object(
            'code', 'no_account', 'ord', missing,
            'currency', requests -> (missing - 1) ->> 'currency'
        ));
    END IF;
    answer := wallet_spend_many(complete);
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

DROP FUNCTION wallet_lots_of(BIGINT, BIGINT, TIMESTAMPTZ);
