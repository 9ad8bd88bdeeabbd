-- What was there before: a limit a day as high as the largest top-up, and the day each document
-- names in its number (AJ20250301…).
ALTER TABLE wallet_walletpolicy DISABLE TRIGGER wallet_walletpolicy_append_only;
UPDATE wallet_walletpolicy SET max_daily_adjustments_minor = max_topup_minor;
ALTER TABLE wallet_walletpolicy ENABLE TRIGGER wallet_walletpolicy_append_only;
UPDATE wallet_adjustment SET proposed_on = to_date(substr(number, 3, 8), 'YYYYMMDD');
SET CONSTRAINTS ALL IMMEDIATE;

-- Our business day is the one of UTC, or its neighbour.
ALTER TABLE wallet_adjustment
    ADD CONSTRAINT wallet_adjustment_proposed_on_its_day
    CHECK (proposed_on - (proposed_at AT TIME ZONE 'UTC')::DATE BETWEEN -1 AND 1);

DROP TRIGGER wallet_adjustment_fixed ON wallet_adjustment;
CREATE TRIGGER wallet_adjustment_fixed
BEFORE UPDATE ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'direction', 'kind', 'amount', 'amount_currency',
    'bonus_expires_at', 'reason', 'attachment', 'attachment_name', 'attachment_type',
    'payload_sha256', 'maker_id', 'proposed_at', 'proposed_on'
);

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
