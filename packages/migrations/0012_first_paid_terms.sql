-- Whether a customer has or has had a package, besides by one subscription.
CREATE FUNCTION packages_has_had(customer BIGINT, package BIGINT, besides BIGINT) RETURNS BOOLEAN
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM packages_subscription AS s
        WHERE s.customer_id = customer AND s.id <> besides AND (
            s.package_id = package
            OR EXISTS (
                SELECT FROM packages_subscriptionchange AS c
                INNER JOIN packages_priceversion AS v ON v.id = c.from_version_id
                WHERE c.subscription_id = s.id AND v.package_id = package
            )
        )
    );
$$;

-- Trials are for what is new to a customer: a subscription begins with one only then.
CREATE FUNCTION packages_trial_is_of_what_is_new() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Package % is not new to the customer of %', NEW.trial_of_id, NEW.number
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER packages_trial_is_of_what_is_new
BEFORE INSERT ON packages_subscription
FOR EACH ROW
WHEN (NEW.had_trial AND packages_has_had(NEW.customer_id, NEW.trial_of_id, NEW.id))
EXECUTE FUNCTION packages_trial_is_of_what_is_new();

-- A running trial goes on only with a package that is tried too and is new to its customer: else a
-- trial would be the way to have the dearest for nothing.
CREATE FUNCTION packages_trial_goes_on_with_what_is_tried() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscriptionperiod AS p
    INNER JOIN packages_priceversion AS v ON v.id = NEW.price_version_id
    WHERE p.subscription_id = NEW.id AND p.number = NEW.period_number AND p.is_trial
        AND (
            v.trial_days = 0 OR packages_has_had(NEW.customer_id, NEW.package_id, NEW.id)
        );
    IF FOUND THEN
        RAISE EXCEPTION 'The trial of % does not go on with package %', NEW.number, NEW.package_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_trial_goes_on_with_what_is_tried
BEFORE UPDATE OF package_id ON packages_subscription
FOR EACH ROW
WHEN (
    NEW.package_id IS DISTINCT FROM OLD.package_id AND NEW.period_number = OLD.period_number
)
EXECUTE FUNCTION packages_trial_goes_on_with_what_is_tried();

-- What is paid once is paid with the first term after a trial.
CREATE FUNCTION packages_charge_has_what_is_paid_once() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    missing TEXT;
BEGIN
    SELECT o.code INTO missing
    FROM fresh AS c
    INNER JOIN packages_subscriptionperiod AS p
        ON p.subscription_id = c.subscription_id AND p.number = c.period_number
    INNER JOIN packages_subscriptionperiod AS trial
        ON trial.subscription_id = c.subscription_id AND trial.number = p.previous_number
            AND trial.is_trial
    INNER JOIN packages_pricecomponent AS o
        ON o.version_id = p.price_version_id AND o.kind = 'ONE_OFF' AND o.amount_minor > 0
    WHERE c.kind = 'RENEWAL'
        AND NOT c.lines @> jsonb_build_array(jsonb_build_object('code', o.code))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'The first term after a trial is charged without %', missing
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_charge_has_what_is_paid_once';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_charge_has_what_is_paid_once
AFTER INSERT ON packages_charge
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_charge_has_what_is_paid_once();
