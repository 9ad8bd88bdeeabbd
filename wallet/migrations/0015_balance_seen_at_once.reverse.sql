ALTER TABLE wallet_journalentry
    ALTER COLUMN cluster SET DEFAULT (pg_control_system()).system_identifier;
DROP FUNCTION wallet_cluster();

-- The checks of migration 0002, where an entry is seen whole at COMMIT only.
CREATE OR REPLACE FUNCTION wallet_entry_is_whole() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    lines INTEGER;
    unbalanced BOOLEAN;
    books INTEGER;
    foreigners INTEGER;
    status TEXT;
BEGIN
    SELECT
        coalesce(sum(c.lines), 0), bool_or(c.total <> 0), max(c.books), sum(c.foreigners)
    INTO lines, unbalanced, books, foreigners
    FROM (
        SELECT
            count(*) AS lines,
            sum(p.amount_minor) AS total,
            count(DISTINCT a.book) AS books,
            count(*) FILTER (
                WHERE a.customer_id IS NOT NULL AND a.customer_id IS DISTINCT FROM NEW.customer_id
            ) AS foreigners
        FROM wallet_posting AS p
        INNER JOIN wallet_ledgeraccount AS a ON a.id = p.account_id
        WHERE p.entry_id = NEW.id
        GROUP BY p.currency
    ) AS c;

    IF lines < 2 OR unbalanced OR books <> 1 THEN
        RAISE EXCEPTION 'Journal entry % does not balance', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_entry_balances';
    END IF;

    IF foreigners > 0 THEN
        RAISE EXCEPTION 'Journal entry % moves the money of another customer', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_entry_concerns_one_customer';
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

CREATE OR REPLACE FUNCTION wallet_posting_continues() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    late BOOLEAN;
    miscounted BOOLEAN;
    broken BOOLEAN;
BEGIN
    SELECT
        bool_or(e.xid <> pg_current_xact_id()),
        bool_or(
            (a.customer_id IS NULL) <> (n.account_version IS NULL)
            OR (a.customer_id IS NULL) <> (n.balance_after_minor IS NULL)
        ),
        bool_or(
            n.balance_after_minor
            <> coalesce(before.balance_after_minor, 0) + a.sign * n.amount_minor
            OR (before.id IS NULL AND n.account_version <> 1)
            OR n.account_version > a.version
            OR (n.account_version = a.version AND n.balance_after_minor <> a.balance_minor)
        )
    INTO late, miscounted, broken
    FROM new_postings AS n
    INNER JOIN wallet_journalentry AS e ON e.id = n.entry_id
    INNER JOIN wallet_ledgeraccount AS a ON a.id = n.account_id
    LEFT JOIN wallet_posting AS before
        ON before.account_id = n.account_id AND before.account_version = n.account_version - 1;

    IF late THEN
        RAISE EXCEPTION 'A journal entry is closed to further postings'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'wallet_posting_joins_only_a_new_entry';
    END IF;
    IF miscounted THEN
        RAISE EXCEPTION 'Running balances are kept on customer accounts, and only there'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_posting_counts_iff_customer';
    END IF;
    IF broken THEN
        RAISE EXCEPTION 'A posting does not continue the running balance of its account'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_posting_continues_running_balance';
    END IF;
    RETURN NULL;
END;
$$;
