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

CREATE TRIGGER wallet_case_state_follows
BEFORE UPDATE OF state ON wallet_case
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows('OPEN>RESOLVED');

CREATE TRIGGER wallet_receipt_state_follows
BEFORE UPDATE OF state ON wallet_receipt
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows('ISSUED>VOIDED');

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

-- Columns that are empty at first and decided once. Arguments: those columns.
CREATE FUNCTION wallet_columns_set_once() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    was JSONB := to_jsonb(OLD);
    becomes JSONB := to_jsonb(NEW);
    once TEXT;
BEGIN
    FOREACH once IN ARRAY TG_ARGV LOOP
        IF was ->> once IS NOT NULL AND was -> once IS DISTINCT FROM becomes -> once THEN
            RAISE EXCEPTION '%.% is set once', TG_TABLE_NAME, once
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
    END LOOP;
    RETURN NEW;
END;
$$;

-- Amounts on these documents are whole minor units, never NaN.
ALTER TABLE wallet_topup
    ADD CONSTRAINT wallet_topup_amount_is_whole_minor_units
    CHECK (money_minor(amount, amount_currency) > 0),
    ADD CONSTRAINT wallet_topup_bonus_is_whole_minor_units
    CHECK (money_minor(promised_bonus, promised_bonus_currency) >= 0);

ALTER TABLE wallet_paymentattempt
    ADD CONSTRAINT wallet_attempt_amount_is_whole_minor_units
    CHECK (money_minor(amount, amount_currency) > 0);

ALTER TABLE wallet_gatewaypayment
    ADD CONSTRAINT wallet_payment_amount_is_whole_minor_units
    CHECK (money_minor(amount, amount_currency) > 0);

-- A top-up is asked for by an active customer, in the customer's currency and within its policy
-- version. The customer's row is locked here too, so that the count and the room are true at
-- COMMIT whoever inserts.
CREATE FUNCTION wallet_topup_is_allowed() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    payer RECORD;
    rules RECORD;
    asked BIGINT := money_minor(NEW.amount, NEW.amount_currency);
    waiting BIGINT;
    waiting_minor BIGINT;
    has_minor BIGINT;
    broken TEXT;
BEGIN
    SELECT c.status, c.currency INTO payer
    FROM accounts_customer AS c WHERE c.id = NEW.customer_id
    FOR NO KEY UPDATE;
    SELECT p.* INTO rules FROM wallet_walletpolicy AS p WHERE p.id = NEW.policy_id;
    SELECT count(*), coalesce(sum(money_minor(t.amount, t.amount_currency)), 0)
    INTO waiting, waiting_minor
    FROM wallet_topup AS t
    WHERE t.customer_id = NEW.customer_id AND t.state IN ('CREATED', 'PENDING');
    SELECT coalesce(sum(a.balance_minor), 0) INTO has_minor
    FROM wallet_ledgeraccount AS a
    WHERE a.customer_id = NEW.customer_id
        AND a.currency = NEW.amount_currency
        AND a.kind IN ('PRINCIPAL', 'BONUS');

    broken := CASE
        WHEN payer.status IS DISTINCT FROM 'ACTIVE' THEN 'wallet_topup_only_for_active_customers'
        WHEN NEW.amount_currency IS DISTINCT FROM payer.currency
            OR NEW.amount_currency IS DISTINCT FROM rules.currency
            THEN 'wallet_topup_currency_is_the_customers'
        WHEN asked IS NULL
            OR asked NOT BETWEEN rules.min_topup_minor AND rules.max_topup_minor
            THEN 'wallet_topup_amount_within_policy'
        WHEN NEW.state NOT IN ('CREATED', 'PENDING') THEN 'wallet_topup_begins_open'
        WHEN has_minor + waiting_minor + asked > rules.max_balance_minor
            THEN 'wallet_topup_fits_the_largest_balance'
        WHEN waiting >= rules.max_open_topups THEN 'wallet_topup_few_are_open'
    END;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Top-up % of % % is not allowed: %',
            NEW.number, NEW.amount, NEW.amount_currency, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_topup_is_allowed
BEFORE INSERT ON wallet_topup
FOR EACH ROW EXECUTE FUNCTION wallet_topup_is_allowed();

-- What was asked for and promised stays; only its fate is written later.
CREATE TRIGGER wallet_topup_fixed
BEFORE UPDATE ON wallet_topup
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'amount', 'amount_currency', 'gateway', 'policy_id',
    'promised_bonus', 'promised_bonus_currency', 'promised_bonus_days', 'promised_terms',
    'request_key', 'created_at', 'expires_at', 'created_by_id'
);

CREATE TRIGGER wallet_topup_set_once
BEFORE UPDATE ON wallet_topup
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('entry_id', 'paid_at');

CREATE TRIGGER wallet_topup_stays
BEFORE DELETE OR TRUNCATE ON wallet_topup
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- An attempt collects exactly what its top-up asks for, at its gateway.
CREATE FUNCTION wallet_attempt_is_its_topups() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM wallet_topup AS t
    WHERE t.id = NEW.topup_id
        AND t.amount = NEW.amount
        AND t.amount_currency = NEW.amount_currency
        AND t.gateway = NEW.gateway;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Attempt % does not ask for what its top-up does', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_attempt_is_its_topups
BEFORE INSERT ON wallet_paymentattempt
FOR EACH ROW EXECUTE FUNCTION wallet_attempt_is_its_topups();

CREATE TRIGGER wallet_paymentattempt_fixed
BEFORE UPDATE ON wallet_paymentattempt
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'topup_id', 'number', 'gateway', 'amount', 'amount_currency', 'created_at'
);

CREATE TRIGGER wallet_paymentattempt_stays
BEFORE DELETE OR TRUNCATE ON wallet_paymentattempt
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- A verified message stays as it came.
CREATE TRIGGER wallet_gatewaycallback_fixed
BEFORE UPDATE ON wallet_gatewaycallback
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'gateway', 'body', 'headers', 'body_sha256', 'received_at'
);

CREATE TRIGGER wallet_gatewaycallback_stays
BEFORE DELETE OR TRUNCATE ON wallet_gatewaycallback
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- A payment that credits is what was ordered (invariant I8): amount, currency, gateway, number,
-- and the entry is that of its top-up.
CREATE FUNCTION wallet_payment_is_what_was_ordered() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.entry_id IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM 1
    FROM wallet_topup AS t
    INNER JOIN wallet_paymentattempt AS a ON a.topup_id = t.id
    WHERE t.id = NEW.topup_id
        AND a.id = NEW.attempt_id
        AND a.number = NEW.number
        AND t.amount = NEW.amount
        AND t.amount_currency = NEW.amount_currency
        AND t.gateway = NEW.gateway
        AND t.entry_id = NEW.entry_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Payment % is not what was ordered', NEW.external_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_payment_is_what_was_ordered
BEFORE INSERT OR UPDATE ON wallet_gatewaypayment
FOR EACH ROW EXECUTE FUNCTION wallet_payment_is_what_was_ordered();

CREATE TRIGGER wallet_gatewaypayment_fixed
BEFORE UPDATE ON wallet_gatewaypayment
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'gateway', 'external_id', 'attempt_id', 'topup_id', 'number', 'merchant_id', 'amount',
    'amount_currency', 'paid_at', 'received_at', 'learned_by'
);

CREATE TRIGGER wallet_gatewaypayment_set_once
BEFORE UPDATE ON wallet_gatewaypayment
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('entry_id');

CREATE TRIGGER wallet_gatewaypayment_stays
BEFORE DELETE OR TRUNCATE ON wallet_gatewaypayment
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- A case keeps what it was opened with.
CREATE TRIGGER wallet_case_fixed
BEFORE UPDATE ON wallet_case
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'kind', 'key', 'customer_id', 'attempt_id', 'payment_id', 'callback_id', 'facts',
    'opened_at'
);

CREATE TRIGGER wallet_case_stays
BEFORE DELETE OR TRUNCATE ON wallet_case
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- Receipt numbers have no gaps: the series goes up by one, and a receipt takes the last number.
CREATE FUNCTION wallet_receiptseries_goes_up_by_one() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.last <> (CASE TG_OP WHEN 'INSERT' THEN 1 ELSE OLD.last + 1 END)
        OR (TG_OP = 'UPDATE' AND NEW.year <> OLD.year) THEN
        RAISE EXCEPTION 'The receipt series of % goes up by one', NEW.year
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_receiptseries_goes_up_by_one
BEFORE INSERT OR UPDATE ON wallet_receiptseries
FOR EACH ROW EXECUTE FUNCTION wallet_receiptseries_goes_up_by_one();

CREATE TRIGGER wallet_receiptseries_stays
BEFORE DELETE OR TRUNCATE ON wallet_receiptseries
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION wallet_receipt_takes_the_next_number() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1
    FROM wallet_receiptseries AS s
    INNER JOIN wallet_topup AS t ON t.id = NEW.topup_id
    WHERE s.year = NEW.year
        AND s.last = NEW.serial
        AND NEW.number = 'R' || NEW.year || '-' || lpad(NEW.serial::TEXT, 6, '0')
        AND t.customer_id = NEW.customer_id
        AND t.amount = NEW.amount
        AND t.amount_currency = NEW.amount_currency
        AND t.state = 'PAID';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Receipt % is not the next one of its top-up', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_receipt_takes_the_next_number
BEFORE INSERT ON wallet_receipt
FOR EACH ROW EXECUTE FUNCTION wallet_receipt_takes_the_next_number();
