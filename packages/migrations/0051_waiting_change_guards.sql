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
CREATE TRIGGER packages_package_is_had_once
BEFORE INSERT ON packages_subscriptionchange
FOR EACH ROW WHEN (
    NEW.to_version_id IS NOT NULL AND NEW.applied_at IS NULL AND NEW.revoked_at IS NULL
)
EXECUTE FUNCTION packages_package_is_had_once();

-- A waiting change says what was agreed to; only what became of it is added, once.
CREATE TRIGGER packages_waiting_fixed
BEFORE UPDATE ON packages_waitingchange
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'from_version_id', 'from_seats', 'to_version_id', 'to_seats',
    'due_minor', 'consent_id', 'topup_id', 'agreed_at', 'agreed_by_id', 'expires_at'
);
CREATE TRIGGER packages_waiting_decided_once
BEFORE UPDATE ON packages_waitingchange
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('change_id', 'closed_at');
CREATE TRIGGER packages_waiting_stays
BEFORE DELETE OR TRUNCATE ON packages_waitingchange
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- Its consent, its money and its price are its own customer's; what came of it is its change, in
-- time, for no more than was agreed to.
CREATE FUNCTION packages_waiting_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN accounts_consent AS c ON c.id = NEW.consent_id AND c.customer_id = s.customer_id
    INNER JOIN wallet_topup AS t ON t.id = NEW.topup_id AND t.customer_id = s.customer_id
    INNER JOIN packages_priceversion AS v ON v.id = NEW.to_version_id
        AND v.currency = s.currency AND coalesce(v.customer_id, s.customer_id) = s.customer_id
    WHERE s.id = NEW.subscription_id;
    IF NOT FOUND OR (NEW.change_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM packages_subscriptionchange AS m
        WHERE m.id = NEW.change_id AND m.subscription_id = NEW.subscription_id
            AND m.consent_id = NEW.consent_id AND m.made_at < NEW.expires_at
            AND NEW.due_minor >= (
                SELECT coalesce(sum(x.amount_minor), 0) FROM packages_charge AS x
                WHERE x.subscription_id = NEW.subscription_id AND x.consent_id = NEW.consent_id
            )
    ))
    THEN
        RAISE EXCEPTION 'Waiting change of subscription % is none of its own', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_waiting_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_waiting_is_its_subscriptions
BEFORE INSERT OR UPDATE OF change_id ON packages_waitingchange
FOR EACH ROW EXECUTE FUNCTION packages_waiting_is_its_subscriptions();
