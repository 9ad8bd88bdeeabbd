-- The writing transaction of every entry: postings may only join an entry made by their own
-- transaction, and sealing goes in (xid, id) order behind the oldest running transaction.
ALTER TABLE wallet_journalentry ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX wallet_entry_by_xid ON wallet_journalentry (xid, id);

-- A posting and a lot carry the currency of their account (composite foreign keys).
ALTER TABLE wallet_posting
    ADD CONSTRAINT wallet_posting_currency_is_its_accounts
    FOREIGN KEY (account_id, currency) REFERENCES wallet_ledgeraccount (id, currency);
ALTER TABLE wallet_lot
    ADD CONSTRAINT wallet_lot_currency_is_its_accounts
    FOREIGN KEY (account_id, currency) REFERENCES wallet_ledgeraccount (id, currency);

-- An entry has two or more postings in one book, zero per currency, and touches the accounts of
-- no customer but its own; a reversal mirrors what it reverses. Checked at COMMIT.
CREATE FUNCTION wallet_entry_is_whole() RETURNS TRIGGER
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

CREATE CONSTRAINT TRIGGER wallet_entry_is_whole
AFTER INSERT ON wallet_journalentry
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wallet_entry_is_whole();

-- Postings join only an entry of their own transaction, and on customer accounts they continue
-- the running balance that the account row shows.
CREATE FUNCTION wallet_posting_continues() RETURNS TRIGGER
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

CREATE TRIGGER wallet_posting_continues
AFTER INSERT ON wallet_posting
REFERENCING NEW TABLE AS new_postings
FOR EACH STATEMENT EXECUTE FUNCTION wallet_posting_continues();

-- The cached balance is the last posting's; checked at COMMIT, when both are written.
CREATE FUNCTION wallet_account_shows_its_last_posting() RETURNS TRIGGER
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

CREATE CONSTRAINT TRIGGER wallet_account_shows_its_last_posting
AFTER INSERT OR UPDATE OF balance_minor, version ON wallet_ledgeraccount
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wallet_account_shows_its_last_posting();

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
CREATE TRIGGER wallet_lotuse_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_lotuse
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER wallet_holdlot_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_holdlot
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
CREATE TRIGGER wallet_lot_stays
BEFORE DELETE OR TRUNCATE ON wallet_lot
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER wallet_hold_stays
BEFORE DELETE OR TRUNCATE ON wallet_hold
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
CREATE TRIGGER wallet_lot_fixed
BEFORE UPDATE OF
    id, customer_id, account_id, entry_id, kind, origin, currency, granted_minor, granted_at,
    refundable
ON wallet_lot
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'account_id', 'entry_id', 'kind', 'origin', 'currency', 'granted_minor',
    'granted_at', 'refundable'
);
CREATE TRIGGER wallet_hold_fixed
BEFORE UPDATE ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'reference', 'currency', 'amount_minor', 'placed_at'
);

-- A lot lives longer, never shorter, once it is promised.
CREATE FUNCTION wallet_lot_lives_longer() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.expires_at IS NULL AND NEW.expires_at IS NOT NULL OR NEW.expires_at < OLD.expires_at THEN
        RAISE EXCEPTION 'Lot % may not expire earlier than promised', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_lot_lives_longer';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_lot_lives_longer
BEFORE UPDATE OF expires_at ON wallet_lot
FOR EACH ROW EXECUTE FUNCTION wallet_lot_lives_longer();

-- A lot's kind is its account's, and its account is its customer's.
CREATE FUNCTION wallet_lot_lies_in_its_account() RETURNS TRIGGER
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

CREATE TRIGGER wallet_lot_lies_in_its_account
BEFORE INSERT ON wallet_lot
FOR EACH ROW EXECUTE FUNCTION wallet_lot_lies_in_its_account();

-- Money of a customer who is not ACTIVE is not promised.
CREATE FUNCTION wallet_customer_is_active() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM accounts_customer AS c WHERE c.id = NEW.customer_id AND c.status = 'ACTIVE';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Customer % is not active', NEW.customer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_hold_only_for_active_customers
BEFORE INSERT ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_customer_is_active();

-- Which state may follow which. Arguments: 'OLD>NEW' pairs, the same as wallet/states.py.
CREATE FUNCTION wallet_state_follows() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state IS DISTINCT FROM OLD.state
        AND NOT (OLD.state || '>' || NEW.state) = ANY (TG_ARGV) THEN
        RAISE EXCEPTION '% may not go from % to %', TG_TABLE_NAME, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_topup_state_follows
BEFORE UPDATE OF state ON wallet_topup
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'CREATED>PENDING', 'CREATED>EXPIRED', 'CREATED>CANCELLED', 'CREATED>PAID',
    'PENDING>PAID', 'PENDING>EXPIRED', 'PENDING>CANCELLED',
    'EXPIRED>PAID', 'CANCELLED>PAID'
);
CREATE TRIGGER wallet_paymentattempt_state_follows
BEFORE UPDATE OF state ON wallet_paymentattempt
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'CREATED>SUBMITTED', 'CREATED>CLOSED',
    'SUBMITTED>PENDING', 'SUBMITTED>FAILED', 'SUBMITTED>UNKNOWN', 'SUBMITTED>SUCCEEDED',
    'PENDING>SUCCEEDED', 'PENDING>FAILED', 'PENDING>CLOSED', 'PENDING>UNKNOWN',
    'UNKNOWN>PENDING', 'UNKNOWN>SUCCEEDED', 'UNKNOWN>FAILED', 'UNKNOWN>CLOSED',
    'FAILED>SUCCEEDED', 'CLOSED>SUCCEEDED'
);
CREATE TRIGGER wallet_hold_state_follows
BEFORE UPDATE OF state ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'OPEN>CAPTURED', 'OPEN>RELEASED', 'OPEN>EXPIRED'
);
CREATE TRIGGER wallet_case_state_follows
BEFORE UPDATE OF state ON wallet_case
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows('OPEN>RESOLVED');
CREATE TRIGGER wallet_adjustment_state_follows
BEFORE UPDATE OF state ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows('PROPOSED>POSTED', 'PROPOSED>REJECTED');
CREATE TRIGGER wallet_receipt_state_follows
BEFORE UPDATE OF state ON wallet_receipt
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows('ISSUED>VOIDED');

-- What was proposed is what is decided on.
CREATE TRIGGER wallet_adjustment_fixed
BEFORE UPDATE ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'direction', 'kind', 'amount', 'amount_currency',
    'bonus_expires_at', 'reason', 'attachment', 'attachment_name', 'attachment_type',
    'payload_sha256', 'maker_id', 'proposed_at'
);
CREATE TRIGGER wallet_adjustment_stays
BEFORE DELETE OR TRUNCATE ON wallet_adjustment
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- A receipt says for ever what it said on the day.
CREATE TRIGGER wallet_receipt_fixed
BEFORE UPDATE ON wallet_receipt
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'year', 'serial', 'code', 'topup_id', 'customer_id', 'payer_name', 'amount',
    'amount_currency', 'bonus', 'bonus_currency', 'balance_after', 'balance_after_currency',
    'gateway', 'external_id', 'paid_at', 'issued_at', 'issued_on', 'locale'
);
CREATE TRIGGER wallet_receipt_stays
BEFORE DELETE OR TRUNCATE ON wallet_receipt
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
