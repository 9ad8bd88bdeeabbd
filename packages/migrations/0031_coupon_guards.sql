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

-- The coupon of a quote is part of what was shown.
DROP TRIGGER packages_quote_fixed ON packages_pricequote;
CREATE TRIGGER packages_quote_fixed
BEFORE UPDATE ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'code', 'customer_id', 'price_version_id', 'seats', 'coupon_id', 'has_trial', 'currency',
    'due_minor', 'each_term_minor', 'made_at', 'made_by_id', 'expires_at'
);
