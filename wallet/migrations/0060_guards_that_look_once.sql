-- PostgreSQL spends on a rule about one row what it spends on a whole statement: each foreign key is
-- a query of its own, each CHECK is read and prepared anew. Where a trigger looks at the rows anyway
-- it asks those questions too, by the same names. Nothing needs to be asked when the other side
-- changes: what is pointed at never goes and keeps its ids (triggers `…_stays`, `…_fixed` and
-- `…_append_only`). See docs/adr/0018-guards-that-look-once.md.

-- An entry's postings come in one statement, one behind the other: two or more, none zero, in one
-- book, zero per currency, on accounts of their currency, of no customer but the entry's, and of that
-- one. None joins an entry that has postings already. On customer accounts the account row has come past their number; that
-- they continue its balance is seen when it did (wallet_account_shows_its_last_posting).
--
-- LATERAL with OFFSET 0 keeps the plan to the index, however many rows came when it was made.
CREATE OR REPLACE FUNCTION wallet_posting_continues() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    line RECORD;
    entry BIGINT;
    owner BIGINT;  -- the customer the entry concerns
    there BIGINT;  -- how many postings it has
    lines BIGINT;  -- how many of them came now
    total NUMERIC;
    owned BOOLEAN;
    book TEXT;
    currency TEXT;
    mixed BOOLEAN := FALSE;
    broken TEXT;
BEGIN
    FOR line IN
        SELECT
            n.entry_id, n.currency, n.amount_minor, n.balance_after_minor, n.account_version,
            a.id, a.customer_id, a.book, a.version, a.balance_minor
        FROM new_postings AS n
        LEFT JOIN LATERAL (
            SELECT o.id, o.customer_id, o.book, o.version, o.balance_minor
            FROM wallet_ledgeraccount AS o
            WHERE o.id = n.account_id AND o.currency = n.currency
            OFFSET 0
        ) AS a ON TRUE
    LOOP
        IF line.entry_id IS DISTINCT FROM entry THEN
            broken := wallet_entry_broken(there, lines, total, owner, owned);
            EXIT WHEN broken IS NOT NULL;
            entry := line.entry_id;
            SELECT
                e.customer_id,
                (SELECT count(*) FROM wallet_posting AS p WHERE p.entry_id = entry)
            INTO owner, there
            FROM wallet_journalentry AS e WHERE e.id = entry;
            IF NOT FOUND THEN
                broken := 'wallet_posting_belongs_to_an_entry';
                EXIT;
            END IF;
            book := line.book;
            currency := line.currency;
            lines := 0;
            total := 0;
            owned := FALSE;
        END IF;
        broken := CASE
            WHEN line.id IS NULL THEN 'wallet_posting_currency_is_its_accounts'
            WHEN line.amount_minor = 0 THEN 'wallet_posting_nonzero'
            WHEN (line.customer_id IS NULL) <> (line.account_version IS NULL)
                OR (line.customer_id IS NULL) <> (line.balance_after_minor IS NULL)
                THEN 'wallet_posting_counts_iff_customer'
            WHEN line.book <> book THEN 'wallet_entry_balances'
            WHEN line.customer_id IS NOT NULL
                AND line.customer_id IS DISTINCT FROM owner THEN 'wallet_entry_concerns_one_customer'
            WHEN line.account_version > line.version
                OR line.account_version = line.version
                AND line.balance_after_minor <> line.balance_minor
                THEN 'wallet_posting_continues_running_balance'
        END;
        EXIT WHEN broken IS NOT NULL;
        lines := lines + 1;
        total := total + line.amount_minor;
        owned := owned OR line.customer_id IS NOT NULL;
        mixed := mixed OR line.currency <> currency;
    END LOOP;

    broken := coalesce(broken, wallet_entry_broken(there, lines, total, owner, owned));
    IF broken IS NULL AND mixed THEN
        SELECT 'wallet_entry_balances' INTO broken
        FROM new_postings AS n
        GROUP BY n.entry_id, n.currency HAVING sum(n.amount_minor) <> 0
        LIMIT 1;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'The postings of entry % break %', entry, broken
            USING CONSTRAINT = broken, ERRCODE = CASE broken
                WHEN 'wallet_posting_belongs_to_an_entry' THEN 'foreign_key_violation'
                WHEN 'wallet_posting_currency_is_its_accounts' THEN 'foreign_key_violation'
                WHEN 'wallet_posting_joins_only_a_new_entry' THEN 'restrict_violation'
                ELSE 'check_violation'
            END;
    END IF;
    RETURN NULL;
END;
$$;

-- Which rule an entry breaks as a whole. there: how many postings it has; came: how many of them came
-- just now; owner: the customer it concerns; owned: one of them is on an account of a customer.
CREATE FUNCTION wallet_entry_broken(
    there BIGINT, came BIGINT, total NUMERIC, owner BIGINT, owned BOOLEAN
) RETURNS TEXT
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN there <> came THEN 'wallet_posting_joins_only_a_new_entry'
        WHEN came < 2 OR total <> 0 THEN 'wallet_entry_balances'
        WHEN owner IS NOT NULL AND NOT owned THEN 'wallet_entry_concerns_one_customer'
    END;
$$;

-- A balance moves with postings: as many as the version counts, each from where the one before it
-- ended, the last ending in the cached balance. Checked at COMMIT, when both are written.
CREATE OR REPLACE FUNCTION wallet_account_shows_its_last_posting() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    before_minor BIGINT := 0;
    before_version BIGINT := 0;
    last RECORD;
    broken TEXT;
BEGIN
    IF NEW.customer_id IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        before_minor := OLD.balance_minor;
        before_version := OLD.version;
    END IF;

    IF NEW.version = before_version THEN
        IF NEW.balance_minor = before_minor THEN
            RETURN NULL;
        END IF;
        broken := 'wallet_account_shows_its_last_posting';
    ELSE
        SELECT p.balance_after_minor, p.amount_minor INTO last
        FROM wallet_posting AS p
        WHERE p.account_id = NEW.id AND p.account_version = NEW.version;
        IF last.balance_after_minor IS DISTINCT FROM NEW.balance_minor THEN
            broken := 'wallet_account_shows_its_last_posting';
        ELSIF NEW.version = before_version + 1 THEN
            broken := CASE
                WHEN NEW.balance_minor <> before_minor + NEW.sign * last.amount_minor
                THEN 'wallet_posting_continues_running_balance'
            END;
        ELSE
            SELECT 'wallet_posting_continues_running_balance' INTO broken
            FROM (
                SELECT
                    p.balance_after_minor
                    = NEW.sign * p.amount_minor
                    + lag(p.balance_after_minor, 1, before_minor) OVER numbered AS continues
                FROM wallet_posting AS p
                WHERE
                    p.account_id = NEW.id
                    AND p.account_version > before_version
                    AND p.account_version <= NEW.version
                WINDOW numbered AS (ORDER BY p.account_version)
            ) AS c
            HAVING NOT bool_and(c.continues) OR count(*) <> NEW.version - before_version;
        END IF;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Account % breaks %', NEW.code, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NULL;
END;
$$;

-- At COMMIT: no entry without a reference, without postings, under rules that nobody made; no charge
-- on a customer who is not active; and a reversal mirrors what it reverses, which is there therefore.
CREATE OR REPLACE FUNCTION wallet_entry_is_whole() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    policy BIGINT;
    status TEXT;
    broken TEXT;
BEGIN
    PERFORM FROM wallet_posting AS p WHERE p.entry_id = NEW.id LIMIT 1;
    broken := CASE
        WHEN NOT FOUND THEN 'wallet_entry_balances'
        WHEN NEW.reference = '' THEN 'wallet_entry_reference_is_given'
        WHEN (NEW.kind = 'REVERSAL') <> (NEW.reverses_id IS NOT NULL)
            THEN 'wallet_entry_reversal_iff_reverses'
    END;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Journal entry % breaks %', NEW.reference, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;

    IF NEW.policy_id IS NOT NULL OR NEW.kind IN ('SPEND', 'CAPTURE') THEN
        SELECT
            (SELECT w.id FROM wallet_walletpolicy AS w WHERE w.id = NEW.policy_id),
            (SELECT c.status FROM accounts_customer AS c WHERE c.id = NEW.customer_id)
        INTO policy, status;
        IF policy IS DISTINCT FROM NEW.policy_id THEN
            RAISE EXCEPTION 'Journal entry % is under rules that nobody made', NEW.reference
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'wallet_entry_policy_is_there';
        END IF;
        IF NEW.kind IN ('SPEND', 'CAPTURE') AND status IS DISTINCT FROM 'ACTIVE' THEN
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

-- A lot comes from an entry and lies in an account of its customer, kind and currency; only principal
-- is refundable.
CREATE OR REPLACE FUNCTION wallet_lot_lies_in_its_account() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    currency TEXT;
    broken TEXT;
BEGIN
    SELECT a.currency INTO currency FROM wallet_ledgeraccount AS a
    WHERE a.id = NEW.account_id AND a.customer_id = NEW.customer_id AND a.kind = NEW.kind;
    IF NOT FOUND THEN
        broken := 'wallet_lot_lies_in_its_account';
    ELSIF currency <> NEW.currency THEN
        broken := 'wallet_lot_currency_is_its_accounts';
    ELSE
        PERFORM FROM wallet_journalentry AS e WHERE e.id = NEW.entry_id;
        broken := CASE
            WHEN NOT FOUND THEN 'wallet_lot_comes_from_an_entry'
            WHEN NEW.refundable AND NEW.kind <> 'PRINCIPAL'
                THEN 'wallet_lot_only_principal_is_refundable'
        END;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Lot % breaks %', NEW.id, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END;
$$;

-- Principal never expires, other credit after it was granted; looked at when the expiry is written.
CREATE FUNCTION wallet_lot_expires_rightly() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    broken CONSTANT TEXT := CASE
        WHEN NEW.kind = 'PRINCIPAL' THEN 'wallet_lot_principal_never_expires'
        WHEN NEW.expires_at <= NEW.granted_at THEN 'wallet_lot_expires_after_grant'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Lot % breaks %', NEW.id, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_lot_expires_rightly
BEFORE INSERT OR UPDATE OF expires_at ON wallet_lot
FOR EACH ROW WHEN (NEW.expires_at IS NOT NULL) EXECUTE FUNCTION wallet_lot_expires_rightly();

-- What is taken from lots, or given back, is never nothing, and a posting moves lots of its account.
CREATE FUNCTION wallet_lotuse_is_of_its_account() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    used RECORD;
    broken TEXT;
BEGIN
    FOR used IN
        SELECT n.lot_id, n.amount_minor, p.account_id AS posted, l.account_id AS lies
        FROM new_uses AS n
        LEFT JOIN LATERAL (
            SELECT o.account_id FROM wallet_posting AS o WHERE o.id = n.posting_id OFFSET 0
        ) AS p ON TRUE
        LEFT JOIN LATERAL (
            SELECT o.account_id FROM wallet_lot AS o WHERE o.id = n.lot_id OFFSET 0
        ) AS l ON TRUE
    LOOP
        broken := CASE
            WHEN used.amount_minor = 0 THEN 'wallet_lotuse_nonzero'
            WHEN used.posted = used.lies THEN NULL
            ELSE 'wallet_lotuse_is_of_its_account'
        END;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'The use of lot % breaks %', used.lot_id, broken
                USING ERRCODE = 'check_violation', CONSTRAINT = broken;
        END IF;
    END LOOP;
    RETURN NULL;
END;
$$;

CREATE TRIGGER wallet_lotuse_is_of_its_account
AFTER INSERT ON wallet_lotuse
REFERENCING NEW TABLE AS new_uses
FOR EACH STATEMENT EXECUTE FUNCTION wallet_lotuse_is_of_its_account();

-- Foreign keys that the triggers above replace and Django does not know.
ALTER TABLE wallet_posting DROP CONSTRAINT wallet_posting_currency_is_its_accounts;
ALTER TABLE wallet_lot DROP CONSTRAINT wallet_lot_currency_is_its_accounts;
