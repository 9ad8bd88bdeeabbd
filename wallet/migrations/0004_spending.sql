-- What the rules of the moment add to a request to spend: the order of lots, the rules' version,
-- the account of what is spent. NULL: no wallets are kept in this currency.
CREATE FUNCTION wallet_spending_terms(body JSONB) RETURNS JSONB
LANGUAGE plpgsql STABLE AS $$
DECLARE
    policy RECORD;
    spent BIGINT;
BEGIN
    SELECT p.id, p.consumption_order INTO policy
    FROM wallet_walletpolicy AS p
    WHERE
        p.currency = body ->> 'currency'
        AND p.valid_from <= (body ->> 'occurred_at')::TIMESTAMPTZ
    ORDER BY p.valid_from DESC
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT a.id INTO spent FROM wallet_ledgeraccount AS a
    WHERE a.code = 'SYS:SPENT:' || (body ->> 'currency');
    RETURN jsonb_build_object(
        'policy', policy.id, 'lot_order', policy.consumption_order, 'to_account', spent
    );
END;
$$;

-- Many requests of wallet_spend, each with its terms: lot_order, policy, to_account. Free lots of each
-- customer are laid end to end in lot_order, what is asked beside them; the overlaps are the lot uses,
-- their sums per account the postings. Both are joins: laid behind one another and searched one by one
-- they took time with the square of their number.
CREATE FUNCTION wallet_spend_many(requests JSONB) RETURNS JSONB
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

-- One request of wallet_spend.
CREATE FUNCTION wallet_spend_one(body JSONB) RETURNS JSONB
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

-- Take money from whole wallets, bonus and principal, in the order the rules of the moment say.
--
-- requests: [{reference, kind, description, customer, currency, amount_minor, occurred_at, actor,
--   sha}, …]
-- Answers as wallet_post does, and with the rules' version behind each entry:
-- {"entries": [[id, replayed, created_at, policy], …]}. Refuses with `no_account` what is in a
-- currency without rules, or whose account of what is spent is not open yet.
CREATE FUNCTION wallet_spend(requests JSONB) RETURNS JSONB
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
