-- What the journal, its accounts and its seal never break, whoever writes. PostgreSQL spends on a rule
-- about one row what it spends on a whole statement: each foreign key is a query of its own, each CHECK
-- is read and prepared anew. So triggers that look at the rows anyway ask for what they point at too.
-- Nothing needs to be asked when the other side changes: it never goes and keeps its ids.
-- See docs/adr/0018-guards-that-look-once.md.

-- The journal is append-only: a mistake is reversed by a new entry, never edited.
CREATE FUNCTION wallet_append_only() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER wallet_journalentry_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_journalentry
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_posting_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_posting
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_sealblock_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_sealblock
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_walletpolicy_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_walletpolicy
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_ledgeraccount_stays
BEFORE DELETE OR TRUNCATE ON wallet_ledgeraccount
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- Columns that are decided once. Arguments: the columns that may never change.
CREATE FUNCTION wallet_fixed_columns() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    was JSONB := to_jsonb(OLD);
    becomes JSONB := to_jsonb(NEW);
    fixed TEXT;
BEGIN
    FOREACH fixed IN ARRAY TG_ARGV LOOP
        IF was -> fixed IS DISTINCT FROM becomes -> fixed THEN
            RAISE EXCEPTION '%.% never changes', TG_TABLE_NAME, fixed
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
    END LOOP;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_ledgeraccount_fixed
BEFORE UPDATE OF id, book, code, kind, currency, sign, customer_id ON wallet_ledgeraccount
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'book', 'code', 'kind', 'currency', 'sign', 'customer_id'
);

-- An account is a customer's if its kind is, credit kinds are liabilities, currencies are ISO codes.
-- None of these columns ever changes (wallet_ledgeraccount_fixed), so they are checked when an
-- account is opened and not, as CHECKs are, with every posting.
CREATE FUNCTION wallet_account_is_of_its_kind() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    credit CONSTANT BOOLEAN := NEW.kind IN ('PRINCIPAL', 'BONUS', 'POINTS');
    broken CONSTANT TEXT := CASE
        WHEN (NEW.customer_id IS NOT NULL) <> (credit OR NEW.kind = 'DEBT')
            THEN 'wallet_account_customer_iff_customer_kind'
        WHEN NEW.sign NOT IN (-1, 1) OR credit AND NEW.sign <> -1
            THEN 'wallet_account_credit_kinds_are_liabilities'
        WHEN NEW.currency !~ '^[A-Z]{3}$' THEN 'wallet_account_currency_is_iso'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Account % breaks a rule of its kind', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_account_is_of_its_kind
BEFORE INSERT ON wallet_ledgeraccount
FOR EACH ROW EXECUTE FUNCTION wallet_account_is_of_its_kind();

-- Every posting writes its account again: room on the page keeps that off the indexes.
ALTER TABLE wallet_ledgeraccount SET (fillfactor = 60);

-- Which server numbers transactions cannot change while it runs: looked up when a statement is
-- planned, not, as a default of pg_control_system(), in a file for every entry.
CREATE FUNCTION wallet_cluster() RETURNS BIGINT
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT (pg_control_system()).system_identifier';

-- The writing transaction of every entry: postings may only join an entry made by their own
-- transaction, and sealing goes in (xid, id) order behind the oldest running transaction. Transaction
-- ids begin anew in another server, so entries carry which one numbered them: the system identifier,
-- made by initdb and kept by standbys and physical copies. A dump carries it as data; what is written
-- after a restore gets the new server's.
ALTER TABLE wallet_journalentry
    ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN cluster BIGINT NOT NULL DEFAULT wallet_cluster();

CREATE INDEX wallet_entry_by_xid ON wallet_journalentry (cluster, xid, id);

-- At COMMIT: no entry without a reference, without postings, under rules that nobody made; no charge
-- on a customer who is not active; and a reversal mirrors what it reverses, which is there therefore.
CREATE FUNCTION wallet_entry_is_whole() RETURNS TRIGGER
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

CREATE CONSTRAINT TRIGGER wallet_entry_is_whole
AFTER INSERT ON wallet_journalentry
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wallet_entry_is_whole();

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

-- An entry's postings come in one statement, one behind the other: two or more, none zero, in one
-- book, zero per currency, on accounts of their currency, of no customer but the entry's, and of that
-- one. None joins an entry that has postings already. On customer accounts they are numbered from one
-- and the account row has come past their number. What they say of the balance need not be compared
-- here: with a number its account had before, a posting is refused as a second one, and with a new one
-- the account's row is looked at when it ends there (wallet_account_shows_its_last_posting).
--
-- LATERAL with OFFSET 0 keeps the plan to the index, however many rows came when it was made.
CREATE FUNCTION wallet_posting_continues() RETURNS TRIGGER
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
            a.id, a.customer_id, a.book, a.version
        FROM new_postings AS n
        LEFT JOIN LATERAL (
            SELECT o.id, o.customer_id, o.book, o.version
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
            WHEN line.account_version < 1 OR line.account_version > line.version
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

CREATE TRIGGER wallet_posting_continues
AFTER INSERT ON wallet_posting
REFERENCING NEW TABLE AS new_postings
FOR EACH STATEMENT EXECUTE FUNCTION wallet_posting_continues();

-- A balance moves with postings: as many as the version counts, each from where the one before it
-- ended, the last ending in the cached balance. Checked at COMMIT, when both are written.
CREATE FUNCTION wallet_account_shows_its_last_posting() RETURNS TRIGGER
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

CREATE CONSTRAINT TRIGGER wallet_account_shows_its_last_posting
AFTER INSERT OR UPDATE OF balance_minor, version ON wallet_ledgeraccount
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wallet_account_shows_its_last_posting();

-- Where the seal has come to, per server that ever wrote entries. The servers are found by leaps
-- through the index: there are few of them and millions of entries.
CREATE VIEW wallet_seal_edge AS
WITH RECURSIVE written AS (
    (SELECT cluster FROM wallet_journalentry ORDER BY cluster LIMIT 1)
    UNION ALL
    SELECT (
        SELECT e.cluster FROM wallet_journalentry AS e
        WHERE e.cluster > w.cluster ORDER BY e.cluster LIMIT 1
    )
    FROM written AS w
    WHERE w.cluster IS NOT NULL
)
SELECT
    w.cluster,
    w.cluster = (pg_control_system()).system_identifier AS is_here,
    coalesce(b.last_xid, 0)::TEXT::XID8 AS after_xid,
    coalesce(b.last_entry_id, 0) AS after_id
FROM written AS w
LEFT JOIN LATERAL (
    SELECT s.last_xid, s.last_entry_id FROM wallet_sealblock AS s
    WHERE s.cluster = w.cluster ORDER BY s.id DESC LIMIT 1
) AS b ON TRUE
WHERE w.cluster IS NOT NULL;

-- ORDER BY and OFFSET 0 keep the planner to the index: what is unsealed is few of very many.
CREATE VIEW wallet_unsealed AS
SELECT e.id, e.created_at
FROM wallet_seal_edge AS edge
CROSS JOIN LATERAL (
    SELECT j.id, j.created_at FROM wallet_journalentry AS j
    WHERE j.cluster = edge.cluster AND (j.xid, j.id) > (edge.after_xid, edge.after_id)
    ORDER BY j.xid, j.id OFFSET 0
) AS e;
