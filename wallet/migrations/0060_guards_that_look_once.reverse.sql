DROP TRIGGER wallet_lotuse_is_of_its_account ON wallet_lotuse;
DROP FUNCTION wallet_lotuse_is_of_its_account();
DROP TRIGGER wallet_lot_expires_rightly ON wallet_lot;
DROP FUNCTION wallet_lot_expires_rightly();
ALTER TABLE wallet_posting
    ADD CONSTRAINT wallet_posting_currency_is_its_accounts
    FOREIGN KEY (account_id, currency) REFERENCES wallet_ledgeraccount (id, currency);
ALTER TABLE wallet_lot
    ADD CONSTRAINT wallet_lot_currency_is_its_accounts
    FOREIGN KEY (account_id, currency) REFERENCES wallet_ledgeraccount (id, currency);

-- An entry's postings come in one statement: two or more, in one book, zero per currency, of no
-- customer but the entry's. On customer accounts they continue the running balance that the account
-- row shows. As no entry is committed without postings, none joins an older transaction's.
CREATE OR REPLACE FUNCTION wallet_posting_continues() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    seen RECORD;
    broken TEXT;
BEGIN
    SELECT
        bool_or(s.late) AS late,
        bool_or(s.miscounted) AS miscounted,
        bool_or(s.broken) AS broken,
        bool_or(s.lines < 2 OR s.total <> 0 OR NOT s.one_book) AS unbalanced,
        bool_or(s.foreigners) AS foreigners,
        bool_and(s.one_currency) AS one_currency,
        min(s.reference) AS reference
    INTO seen
    FROM (
        SELECT
            e.reference,
            bool_or(
                (a.customer_id IS NULL) <> (n.account_version IS NULL)
                OR (a.customer_id IS NULL) <> (n.balance_after_minor IS NULL)
            ) AS miscounted,
            bool_or(
                n.balance_after_minor
                <> coalesce(before.balance_after_minor, 0) + a.sign * n.amount_minor
                OR (before.id IS NULL AND n.account_version <> 1)
                OR n.account_version > a.version
                OR (n.account_version = a.version AND n.balance_after_minor <> a.balance_minor)
            ) AS broken,
            bool_or(a.customer_id IS NOT NULL AND a.customer_id IS DISTINCT FROM e.customer_id)
                AS foreigners,
            count(*) AS lines,
            count(*) <> (SELECT count(*) FROM wallet_posting AS p WHERE p.entry_id = e.id)
                AS late,
            sum(n.amount_minor) AS total,
            min(a.book) = max(a.book) AS one_book,
            min(n.currency) = max(n.currency) AS one_currency
        FROM new_postings AS n
        INNER JOIN wallet_journalentry AS e ON e.id = n.entry_id
        INNER JOIN wallet_ledgeraccount AS a ON a.id = n.account_id
        LEFT JOIN wallet_posting AS before
            ON before.account_id = n.account_id AND before.account_version = n.account_version - 1
        GROUP BY e.id
    ) AS s;

    IF seen.late THEN
        RAISE EXCEPTION 'A journal entry is closed to further postings'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'wallet_posting_joins_only_a_new_entry';
    END IF;
    broken := CASE
        WHEN seen.miscounted THEN 'wallet_posting_counts_iff_customer'
        WHEN seen.unbalanced THEN 'wallet_entry_balances'
        WHEN seen.foreigners THEN 'wallet_entry_concerns_one_customer'
        WHEN seen.broken THEN 'wallet_posting_continues_running_balance'
        WHEN NOT seen.one_currency AND EXISTS (
            SELECT FROM new_postings AS n
            GROUP BY n.entry_id, n.currency HAVING sum(n.amount_minor) <> 0
        ) THEN 'wallet_entry_balances'
    END;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'The postings of % (or an entry beside it) break %', seen.reference, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NULL;
END;
$$;

-- At COMMIT: no entry without postings, no charge on a customer who is not active, and a reversal
-- mirrors what it reverses.
CREATE OR REPLACE FUNCTION wallet_entry_is_whole() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    status TEXT;
BEGIN
    IF NOT EXISTS (SELECT FROM wallet_posting AS p WHERE p.entry_id = NEW.id) THEN
        RAISE EXCEPTION 'Journal entry % has no postings', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_entry_balances';
    END IF;

    IF NEW.kind IN ('SPEND', 'CAPTURE') THEN
        SELECT c.status INTO status FROM accounts_customer AS c WHERE c.id = NEW.customer_id;
        IF status IS DISTINCT FROM 'ACTIVE' THEN
            RAISE EXCEPTION 'The customer of % is %', NEW.reference, coalesce(status, 'nobody')
                USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_frozen_customer_spends_nothing';
        END IF;
    END IF;

    IF NEW.reverses_id IS NOT NULL AND EXISTS (
        SELECT 1
        FROM (SELECT * FROM wallet_posting WHERE entry_id = NEW.id) AS r
        FULL JOIN (SELECT * FROM wallet_posting WHERE entry_id = NEW.reverses_id) AS o
            ON o.account_id = r.account_id AND o.amount_minor = -r.amount_minor
        WHERE o.id IS NULL OR r.id IS NULL
    ) THEN
        RAISE EXCEPTION 'Journal entry % is not the mirror of what it reverses', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_reversal_mirrors_its_entry';
    END IF;
    RETURN NULL;
END;
$$;

-- The cached balance is the last posting's; checked at COMMIT, when both are written.
CREATE OR REPLACE FUNCTION wallet_account_shows_its_last_posting() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1
    FROM wallet_ledgeraccount AS a
    LEFT JOIN wallet_posting AS p ON p.account_id = a.id AND p.account_version = a.version
    WHERE
        a.id = NEW.id
        AND a.customer_id IS NOT NULL
        AND (
            a.balance_minor <> coalesce(p.balance_after_minor, 0)
            OR (p.id IS NULL AND a.version <> 0)
        );
    IF FOUND THEN
        RAISE EXCEPTION 'Account % does not show the balance of its last posting', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_account_shows_its_last_posting';
    END IF;
    RETURN NULL;
END;
$$;

-- A lot's kind is its account's, and its account is its customer's.
CREATE OR REPLACE FUNCTION wallet_lot_lies_in_its_account() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM wallet_ledgeraccount AS a
    WHERE a.id = NEW.account_id AND a.customer_id = NEW.customer_id AND a.kind = NEW.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lot % lies in an account of another customer or kind', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_lot_lies_in_its_account';
    END IF;
    RETURN NEW;
END;
$$;

DROP FUNCTION wallet_entry_broken(BIGINT, BIGINT, NUMERIC, BIGINT, BOOLEAN);
