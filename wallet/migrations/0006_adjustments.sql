CREATE TRIGGER wallet_adjustment_state_follows
BEFORE UPDATE OF state ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows('PROPOSED>POSTED', 'PROPOSED>REJECTED');

-- What was proposed is what is decided on.
CREATE TRIGGER wallet_adjustment_fixed
BEFORE UPDATE ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'direction', 'kind', 'amount', 'amount_currency',
    'bonus_expires_at', 'reason', 'attachment', 'attachment_name', 'attachment_type',
    'payload_sha256', 'maker_id', 'proposed_at', 'proposed_on'
);

CREATE TRIGGER wallet_adjustment_stays
BEFORE DELETE OR TRUNCATE ON wallet_adjustment
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- What a maker proposed, as one hash; wallet/adjustments.py asks for it on proposal and approval.
CREATE FUNCTION wallet_adjustment_payload(a wallet_adjustment) RETURNS TEXT
LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(jsonb_build_array(
        a.number, a.customer_id, a.direction, a.kind, trim_scale(a.amount), a.amount_currency,
        extract(epoch FROM a.bonus_expires_at), a.reason, a.attachment_name,
        encode(sha256(coalesce(a.attachment, '')), 'hex'), a.maker_id
    )::text, 'UTF8')), 'hex');
$$;

CREATE FUNCTION wallet_adjustment_freezes_its_payload() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    NEW.payload_sha256 := wallet_adjustment_payload(NEW);
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_adjustment_freezes_its_payload
BEFORE INSERT ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_adjustment_freezes_its_payload();

-- Our business day is the one of UTC, or its neighbour.
ALTER TABLE wallet_adjustment
    ADD CONSTRAINT wallet_adjustment_proposed_on_its_day
    CHECK (proposed_on - (proposed_at AT TIME ZONE 'UTC')::DATE BETWEEN -1 AND 1);

-- One person proposes no more a day and currency than its policy says; what was rejected does not
-- count (R15). The maker is locked before the sum is taken, so that two at once count each other.
CREATE FUNCTION wallet_adjustment_within_daily_limit() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    most BIGINT;
    proposed BIGINT;
BEGIN
    PERFORM 1 FROM accounts_user AS u WHERE u.id = NEW.maker_id
    FOR NO KEY UPDATE;
    SELECT p.max_daily_adjustments_minor INTO most
    FROM wallet_walletpolicy AS p
    WHERE p.currency = NEW.amount_currency AND p.valid_from <= NEW.proposed_at
    ORDER BY p.valid_from DESC
    LIMIT 1;
    SELECT sum(money_minor(a.amount, a.amount_currency)) INTO proposed
    FROM wallet_adjustment AS a
    WHERE a.maker_id = NEW.maker_id
        AND a.proposed_on = NEW.proposed_on
        AND a.amount_currency = NEW.amount_currency
        AND a.state <> 'REJECTED';
    IF proposed > coalesce(most, 0) THEN
        RAISE EXCEPTION 'Adjustment % is more than its maker may propose that day', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER wallet_adjustment_within_daily_limit
AFTER INSERT ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_adjustment_within_daily_limit();

-- What a letter said stays said; only whether it went out is added, once.
CREATE TRIGGER wallet_expiryletter_fixed
BEFORE UPDATE ON wallet_expiryletter
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns('id', 'customer_id', 'on_day', 'created_at');

CREATE TRIGGER wallet_expiryletter_sent_once
BEFORE UPDATE ON wallet_expiryletter
FOR EACH ROW WHEN (OLD.sent_at IS NOT NULL OR OLD.dropped_at IS NOT NULL)
EXECUTE FUNCTION wallet_fixed_columns(
    'sent_at', 'dropped_at', 'sent_to', 'locale', 'subject', 'text'
);

CREATE TRIGGER wallet_expiryletter_stays
BEFORE DELETE OR TRUNCATE ON wallet_expiryletter
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER wallet_expiryreminder_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_expiryreminder
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- It names lots of its own customer that expire.
CREATE FUNCTION wallet_expiryreminder_is_its_customers() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM wallet_expiryletter AS l
    INNER JOIN wallet_lot AS t ON t.customer_id = l.customer_id
    WHERE l.id = NEW.letter_id AND t.id = NEW.lot_id AND t.expires_at > l.created_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lot % is not for letter %', NEW.lot_id, NEW.letter_id
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'wallet_expiryreminder_is_its_customers';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_expiryreminder_is_its_customers
BEFORE INSERT ON wallet_expiryreminder
FOR EACH ROW EXECUTE FUNCTION wallet_expiryreminder_is_its_customers();
