CREATE TRIGGER wallet_lotuse_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_lotuse
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_holdlot_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_holdlot
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_lot_stays
BEFORE DELETE OR TRUNCATE ON wallet_lot
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_hold_stays
BEFORE DELETE OR TRUNCATE ON wallet_hold
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_lot_fixed
BEFORE UPDATE OF
    id, customer_id, account_id, entry_id, kind, origin, currency, granted_minor, granted_at,
    refundable
ON wallet_lot
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'account_id', 'entry_id', 'kind', 'origin', 'currency', 'granted_minor',
    'granted_at', 'refundable'
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

-- A lot comes from an entry and lies in an account of its customer, kind and currency; only principal
-- is refundable.
CREATE FUNCTION wallet_lot_lies_in_its_account() RETURNS TRIGGER
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

CREATE TRIGGER wallet_hold_state_follows
BEFORE UPDATE OF state ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'OPEN>CAPTURED', 'OPEN>RELEASED', 'OPEN>EXPIRED'
);

CREATE TRIGGER wallet_hold_fixed
BEFORE UPDATE ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'reference', 'description', 'currency', 'amount_minor', 'placed_at'
);

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
