-- Periods tile: each begins at the moment the one before ends, and a subscription points at its
-- last one. The pointer waits for COMMIT, as both rows are written together.
ALTER TABLE packages_subscriptionperiod
    ADD CONSTRAINT packages_period_begins_where_the_last_ended
    FOREIGN KEY (subscription_id, previous_number, starts_at)
    REFERENCES packages_subscriptionperiod (subscription_id, number, ends_at);
ALTER TABLE packages_subscription
    ADD CONSTRAINT packages_subscription_is_paid_until_its_last_period_ends
    FOREIGN KEY (id, period_number, paid_until)
    REFERENCES packages_subscriptionperiod (subscription_id, number, ends_at)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE packages_charge
    ADD CONSTRAINT packages_charge_is_for_a_period
    FOREIGN KEY (subscription_id, period_number)
    REFERENCES packages_subscriptionperiod (subscription_id, number);

-- What a subscription is never changes; a new price is one of the same package and currency, on
-- sale to everybody or made for this customer.
CREATE TRIGGER packages_subscription_fixed
BEFORE UPDATE ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'package_id', 'currency', 'zone', 'had_trial', 'created_at',
    'created_by_id'
);
CREATE TRIGGER packages_subscription_ends_once
BEFORE UPDATE ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('ended_at');
CREATE TRIGGER packages_subscription_stays
BEFORE DELETE OR TRUNCATE ON packages_subscription
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER packages_subscription_state_follows
BEFORE UPDATE OF state ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'TRIAL>ACTIVE', 'TRIAL>PAST_DUE', 'TRIAL>ENDED',
    'ACTIVE>PAST_DUE', 'ACTIVE>ENDED',
    'PAST_DUE>ACTIVE', 'PAST_DUE>RESTRICTED', 'PAST_DUE>ENDED',
    'RESTRICTED>ACTIVE', 'RESTRICTED>SUSPENDED', 'RESTRICTED>ENDED',
    'SUSPENDED>ACTIVE', 'SUSPENDED>ENDED'
);

CREATE FUNCTION packages_subscription_is_of_its_price() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    agreed RECORD;
BEGIN
    SELECT v.package_id, v.currency, v.customer_id, v.published_at, v.interval, p.kind INTO agreed
    FROM packages_priceversion AS v
    INNER JOIN packages_package AS p ON p.id = v.package_id
    WHERE v.id = NEW.price_version_id;
    IF agreed.package_id <> NEW.package_id
        OR agreed.currency <> NEW.currency
        OR agreed.published_at IS NULL
        OR agreed.interval = ''
        OR agreed.kind = 'TOP_UP'
        OR coalesce(agreed.customer_id, NEW.customer_id) <> NEW.customer_id
    THEN
        RAISE EXCEPTION 'Price % is none of subscription %', NEW.price_version_id, NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_subscription_is_of_its_price';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_subscription_is_of_its_price
BEFORE INSERT OR UPDATE OF price_version_id ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_subscription_is_of_its_price();

CREATE TRIGGER packages_subscription_needs_an_active_customer
BEFORE INSERT ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_customer_is_active();

-- Consents to renewals are the customer's own.
CREATE FUNCTION packages_consent_is_the_customers() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.consent_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM accounts_consent AS c
        WHERE c.id = NEW.consent_id AND c.customer_id = NEW.customer_id
    ) THEN
        RAISE EXCEPTION 'Consent % is another customer''s', NEW.consent_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_subscription_consent_is_its_customers
BEFORE INSERT OR UPDATE OF consent_id ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_consent_is_the_customers();
CREATE TRIGGER packages_quote_consent_is_its_customers
BEFORE INSERT OR UPDATE OF consent_id ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION packages_consent_is_the_customers();

-- Of a period only its end changes, to an earlier moment, once. None begins before the last ended,
-- and numbers leave no gap.
CREATE FUNCTION packages_period_is_cut_once() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.cut_at IS NOT NULL OR NEW.cut_at IS NULL OR NEW.ends_at >= OLD.ends_at
        OR to_jsonb(NEW) - 'ends_at' - 'cut_at' <> to_jsonb(OLD) - 'ends_at' - 'cut_at'
    THEN
        RAISE EXCEPTION 'Period %/% is decided', OLD.subscription_id, OLD.number
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_period_is_cut_once';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_period_is_cut_once
BEFORE UPDATE ON packages_subscriptionperiod
FOR EACH ROW EXECUTE FUNCTION packages_period_is_cut_once();
CREATE TRIGGER packages_period_stays
BEFORE DELETE OR TRUNCATE ON packages_subscriptionperiod
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION packages_period_leaves_no_gap() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh AS f
        WHERE f.number > 1 AND f.previous_number IS NULL AND NOT EXISTS (
            SELECT FROM packages_subscriptionperiod AS p
            WHERE p.subscription_id = f.subscription_id
                AND p.number = f.number - 1
                AND p.ends_at < f.starts_at
        )
    ) THEN
        RAISE EXCEPTION 'A period begins before the last one ended'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_period_leaves_no_gap';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_period_leaves_no_gap
AFTER INSERT ON packages_subscriptionperiod
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_period_leaves_no_gap();

-- A charge says what its entry took: from the same customer, the same amount, for its period.
CREATE FUNCTION packages_charge_is_its_entry() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    wrong BIGINT;
BEGIN
    SELECT f.id INTO wrong
    FROM fresh AS f
    INNER JOIN wallet_journalentry AS e ON e.id = f.entry_id
    INNER JOIN packages_subscription AS s ON s.id = f.subscription_id
    INNER JOIN accounts_consent AS c ON c.id = f.consent_id
    CROSS JOIN LATERAL (
        SELECT sum(p.amount_minor) AS taken
        FROM wallet_posting AS p
        WHERE p.entry_id = f.entry_id AND p.account_version IS NOT NULL
            AND p.currency = f.currency
    ) AS lines
    WHERE e.kind <> 'SPEND'
        OR e.customer_id <> f.customer_id
        OR s.customer_id <> f.customer_id
        OR s.currency <> f.currency
        OR c.customer_id <> f.customer_id
        OR lines.taken IS DISTINCT FROM f.amount_minor
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Charge % is not what its entry took', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_charge_is_its_entry';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_charge_is_its_entry
AFTER INSERT ON packages_charge
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_charge_is_its_entry();
CREATE TRIGGER packages_charge_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_charge
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- A quote says what was shown; only what became of it is added.
CREATE TRIGGER packages_quote_fixed
BEFORE UPDATE ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'code', 'customer_id', 'price_version_id', 'seats', 'has_trial', 'currency', 'due_minor',
    'each_term_minor', 'made_at', 'made_by_id', 'expires_at'
);
CREATE TRIGGER packages_quote_decided_once
BEFORE UPDATE ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('accepted_at', 'subscription_id');
