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

-- What a subscription is never changes; a new price is one of the same package and currency, on
-- sale to everybody or made for this customer.
CREATE TRIGGER packages_subscription_fixed
BEFORE UPDATE OF
    id, number, customer_id, currency, zone, had_trial, trial_of_id, created_at, created_by_id
ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'currency', 'zone', 'had_trial', 'trial_of_id', 'created_at',
    'created_by_id'
);

CREATE TRIGGER packages_subscription_ends_once
BEFORE UPDATE OF ended_at ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('ended_at');

CREATE TRIGGER packages_subscription_stays
BEFORE DELETE OR TRUNCATE ON packages_subscription
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

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
BEFORE INSERT ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_subscription_is_of_its_price();

CREATE TRIGGER packages_subscription_is_still_of_its_price
BEFORE UPDATE OF price_version_id, package_id ON packages_subscription
FOR EACH ROW
WHEN (
    NEW.price_version_id IS DISTINCT FROM OLD.price_version_id
    OR NEW.package_id IS DISTINCT FROM OLD.package_id
)
EXECUTE FUNCTION packages_subscription_is_of_its_price();

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

-- What a published coupon gives never changes, nor what it is for; it is ended once.
CREATE TRIGGER packages_coupon_is_fixed_once_published
BEFORE UPDATE ON packages_coupon
FOR EACH ROW
WHEN (OLD.published_at IS NOT NULL)
EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'code', 'name', 'name_en', 'bps', 'amount_minor', 'currency', 'terms', 'most_uses',
    'most_per_customer', 'valid_from', 'valid_to', 'created_at', 'created_by_id', 'published_at',
    'published_by_id'
);

CREATE TRIGGER packages_coupon_ended_once
BEFORE UPDATE ON packages_coupon
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('ended_at', 'ended_by_id');

CREATE TRIGGER packages_coupon_stays
BEFORE DELETE OR TRUNCATE ON packages_coupon
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION packages_coupon_scope_is_fixed_once_published() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_coupon AS c
    WHERE c.published_at IS NOT NULL
        AND (
            (TG_OP <> 'INSERT' AND c.id = OLD.coupon_id)
            OR (TG_OP <> 'DELETE' AND c.id = NEW.coupon_id)
        );
    IF FOUND THEN
        RAISE EXCEPTION 'What a published coupon is for never changes'
            USING ERRCODE = 'restrict_violation',
                CONSTRAINT = 'packages_coupon_scope_is_fixed_once_published';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_coupon_scope_is_fixed_once_published
BEFORE INSERT OR UPDATE OR DELETE ON packages_coupon_packages
FOR EACH ROW EXECUTE FUNCTION packages_coupon_scope_is_fixed_once_published();

-- Uses are counted one by one, each by a row that has the count as its number. The count is
-- raised first, which locks the coupon: who comes second sees what is left.
CREATE FUNCTION packages_coupon_counts_one_by_one() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.used <> OLD.used AND NEW.used <> OLD.used + 1 THEN
        RAISE EXCEPTION 'Coupon % is used once at a time', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_coupon_counts_one_by_one';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_coupon_counts_one_by_one
BEFORE UPDATE OF used ON packages_coupon
FOR EACH ROW EXECUTE FUNCTION packages_coupon_counts_one_by_one();

CREATE FUNCTION packages_coupon_count_is_its_uses() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.used <> OLD.used AND NOT EXISTS (
        SELECT FROM packages_couponuse AS u WHERE u.coupon_id = NEW.id AND u.number = NEW.used
    ) THEN
        RAISE EXCEPTION 'Coupon % was counted, but not used', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_coupon_count_is_its_uses';
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER packages_coupon_count_is_its_uses
AFTER UPDATE ON packages_coupon
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION packages_coupon_count_is_its_uses();

-- A use is its customer's, of an open coupon that fits, within the limits, and begins whole.
CREATE FUNCTION packages_couponuse_is_allowed() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    one RECORD;
    refusal TEXT;
BEGIN
    SELECT
        c.published_at, c.ended_at, c.currency, c.terms, c.used, c.most_per_customer,
        s.customer_id, s.currency AS paid_in
    INTO one
    FROM packages_coupon AS c, packages_subscription AS s
    WHERE c.id = NEW.coupon_id AND s.id = NEW.subscription_id;
    refusal := CASE
        WHEN one.customer_id <> NEW.customer_id THEN 'packages_couponuse_is_its_customers'
        WHEN one.published_at IS NULL THEN 'packages_couponuse_is_of_a_published_coupon'
        WHEN one.currency NOT IN ('', one.paid_in) THEN 'packages_couponuse_is_in_its_currency'
        WHEN NEW.number <> one.used THEN 'packages_couponuse_is_counted'
        WHEN NEW.nth > one.most_per_customer THEN 'packages_couponuse_within_the_customers_limit'
        WHEN NEW.terms_left IS DISTINCT FROM one.terms OR NEW.ended_at IS NOT NULL
            THEN 'packages_couponuse_begins_whole'
    END;
    IF refusal IS NOT NULL THEN
        RAISE EXCEPTION 'Coupon % cannot be used for subscription %', NEW.coupon_id,
            NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = refusal;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_couponuse_is_allowed
BEFORE INSERT ON packages_couponuse
FOR EACH ROW EXECUTE FUNCTION packages_couponuse_is_allowed();

CREATE TRIGGER packages_couponuse_fixed
BEFORE UPDATE OF
    id, coupon_id, customer_id, subscription_id, number, nth, used_at, used_by_id
ON packages_couponuse
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'coupon_id', 'customer_id', 'subscription_id', 'number', 'nth', 'used_at', 'used_by_id'
);

CREATE TRIGGER packages_couponuse_ended_once
BEFORE UPDATE OF ended_at, ended_by_id ON packages_couponuse
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('ended_at', 'ended_by_id');

CREATE TRIGGER packages_couponuse_stays
BEFORE DELETE OR TRUNCATE ON packages_couponuse
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION packages_couponuse_terms_fall() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.terms_left IS DISTINCT FROM OLD.terms_left
        AND (OLD.ended_at IS NOT NULL OR coalesce(NEW.terms_left <> OLD.terms_left - 1, true))
    THEN
        RAISE EXCEPTION 'The terms of coupon use % fall one by one', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_couponuse_terms_fall';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_couponuse_terms_fall
BEFORE UPDATE OF terms_left ON packages_couponuse
FOR EACH ROW EXECUTE FUNCTION packages_couponuse_terms_fall();

-- A period begins with a coupon that its subscription has then and that is for its package, and
-- takes one of the coupon's terms.
CREATE FUNCTION packages_period_coupon_holds() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_couponuse AS u
    INNER JOIN packages_priceversion AS v ON v.id = NEW.price_version_id
    WHERE u.id = NEW.coupon_use_id AND u.subscription_id = NEW.subscription_id
        AND u.ended_at IS NULL
        AND (
            NOT EXISTS (SELECT FROM packages_coupon_packages AS p WHERE p.coupon_id = u.coupon_id)
            OR EXISTS (
                SELECT FROM packages_coupon_packages AS p
                WHERE p.coupon_id = u.coupon_id AND p.package_id = v.package_id
            )
        );
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The coupon of period %/% does not hold', NEW.subscription_id, NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_period_coupon_holds';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_period_coupon_holds
BEFORE INSERT ON packages_subscriptionperiod
FOR EACH ROW
WHEN (NEW.coupon_use_id IS NOT NULL)
EXECUTE FUNCTION packages_period_coupon_holds();

CREATE FUNCTION packages_couponuse_terms_are_its_periods() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    use BIGINT := CASE TG_TABLE_NAME
        WHEN 'packages_couponuse' THEN (to_jsonb(NEW) ->> 'id')::bigint
        ELSE (to_jsonb(NEW) ->> 'coupon_use_id')::bigint
    END;
BEGIN
    PERFORM FROM packages_couponuse AS u
    INNER JOIN packages_coupon AS c ON c.id = u.coupon_id
    WHERE u.id = use
        AND c.terms - u.terms_left
            <> (SELECT count(*) FROM packages_subscriptionperiod AS p WHERE p.coupon_use_id = u.id);
    IF FOUND THEN
        RAISE EXCEPTION 'The terms of coupon use % are not its periods', use
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_couponuse_terms_are_its_periods';
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER packages_couponuse_terms_are_its_periods
AFTER UPDATE ON packages_couponuse
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW
WHEN (NEW.terms_left IS DISTINCT FROM OLD.terms_left)
EXECUTE FUNCTION packages_couponuse_terms_are_its_periods();

CREATE CONSTRAINT TRIGGER packages_period_takes_a_term_of_its_coupon
AFTER INSERT ON packages_subscriptionperiod
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW
WHEN (NEW.coupon_use_id IS NOT NULL)
EXECUTE FUNCTION packages_couponuse_terms_are_its_periods();

-- A package is had once, also by what becomes it when its term ends: neither is a subscription begun
-- or changed to a package another one is scheduled to become, nor is a change scheduled to one that
-- is had or coming. Whoever asks locks the customer, so that two at once see each other.
CREATE FUNCTION packages_package_is_had_once() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    holder BIGINT;
    changing BIGINT;
    wanted BIGINT;
BEGIN
    IF TG_TABLE_NAME = 'packages_subscription' THEN
        holder := NEW.customer_id;
        changing := NEW.id;
        wanted := NEW.package_id;
    ELSE
        SELECT s.customer_id, s.id, v.package_id INTO holder, changing, wanted
        FROM packages_subscription AS s
        CROSS JOIN packages_priceversion AS v
        WHERE s.id = NEW.subscription_id AND v.id = NEW.to_version_id;
    END IF;
    PERFORM FROM accounts_customer AS c WHERE c.id = holder FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM packages_subscription AS s
        INNER JOIN packages_subscriptionchange AS c ON c.subscription_id = s.id
        INNER JOIN packages_priceversion AS v ON v.id = c.to_version_id
        WHERE s.customer_id = holder AND s.id <> changing AND s.state <> 'ENDED'
            AND c.applied_at IS NULL AND c.revoked_at IS NULL AND v.package_id = wanted
    ) OR (TG_TABLE_NAME <> 'packages_subscription' AND EXISTS (
        SELECT FROM packages_subscription AS s
        WHERE s.customer_id = holder AND s.id <> changing AND s.state <> 'ENDED'
            AND s.package_id = wanted
    ))
    THEN
        RAISE EXCEPTION 'Customer % has package % already', holder, wanted
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'packages_package_is_had_once';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_package_is_had_once
BEFORE INSERT ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_package_is_had_once();

CREATE TRIGGER packages_package_is_still_had_once
BEFORE UPDATE OF package_id ON packages_subscription
FOR EACH ROW WHEN (NEW.package_id IS DISTINCT FROM OLD.package_id)
EXECUTE FUNCTION packages_package_is_had_once();

CREATE TRIGGER packages_subscription_state_follows
BEFORE UPDATE OF state ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'TRIAL>ACTIVE', 'TRIAL>PAST_DUE', 'TRIAL>ENDED',
    'ACTIVE>PAST_DUE', 'ACTIVE>PAUSED', 'ACTIVE>ENDED',
    'PAST_DUE>ACTIVE', 'PAST_DUE>RESTRICTED', 'PAST_DUE>ENDED',
    'RESTRICTED>ACTIVE', 'RESTRICTED>SUSPENDED', 'RESTRICTED>ENDED',
    'SUSPENDED>ACTIVE', 'SUSPENDED>ENDED',
    'PAUSED>ACTIVE', 'PAUSED>PAST_DUE', 'PAUSED>ENDED'
);

-- It is paused by a pause the customer asked for, when the paid term is over, and looked at again
-- when that pause ends.
CREATE FUNCTION packages_subscription_pauses_as_asked() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM packages_pause AS p
        WHERE p.subscription_id = NEW.id AND p.begun_at >= NEW.paid_until
            AND p.ended_at IS NULL AND p.until > NEW.paid_until
            AND NEW.next_try_at >= p.until
    )
    THEN
        RAISE EXCEPTION 'Nobody asked for a pause of subscription % now', NEW.number
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_subscription_pauses_as_asked';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_subscription_pauses_as_asked
BEFORE UPDATE OF state ON packages_subscription
FOR EACH ROW WHEN (NEW.state = 'PAUSED' AND OLD.state <> 'PAUSED')
EXECUTE FUNCTION packages_subscription_pauses_as_asked();

-- A pause says what was agreed to; only what became of it is added, once.
CREATE TRIGGER packages_pause_fixed
BEFORE UPDATE ON packages_pause
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'until', 'consent_id', 'asked_at', 'asked_by_id'
);

CREATE TRIGGER packages_pause_decided_once
BEFORE UPDATE ON packages_pause
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('begun_at', 'ended_at', 'revoked_at');

CREATE TRIGGER packages_pause_stays
BEFORE DELETE OR TRUNCATE ON packages_pause
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- It follows a paid term by at most twelve months, and its customer agreed to it.
CREATE FUNCTION packages_pause_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN accounts_consent AS c ON c.id = NEW.consent_id AND c.customer_id = s.customer_id
    WHERE s.id = NEW.subscription_id AND s.state = 'ACTIVE' AND s.auto_renew
        AND NEW.until > s.paid_until
        AND (NEW.until AT TIME ZONE s.zone)::date
            <= (s.paid_until AT TIME ZONE s.zone)::date + INTERVAL '12 months';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Subscription % cannot be paused so', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_pause_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_pause_is_its_subscriptions
BEFORE INSERT ON packages_pause
FOR EACH ROW EXECUTE FUNCTION packages_pause_is_its_subscriptions();

-- The rules of a way follow from the moment of the first failure, so that stays as it is until the
-- renewal is paid or ends.
CREATE TRIGGER packages_subscription_goes_one_way
BEFORE UPDATE OF past_due_at ON packages_subscription
FOR EACH ROW WHEN (OLD.past_due_at <> NEW.past_due_at)
EXECUTE FUNCTION wallet_fixed_columns('past_due_at');

CREATE TRIGGER packages_coupon_scope_is_never_emptied
BEFORE TRUNCATE ON packages_coupon_packages
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

ALTER TABLE packages_coupon ADD CONSTRAINT packages_coupon_is_given_within_the_calendar
CHECK (valid_from < '2200-01-02 00:00+00' AND valid_to < '2200-01-02 00:00+00');

CREATE TRIGGER packages_coupon_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en
ON packages_coupon
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en');
