-- A subscription may become one of another package; which one it tried stays.
DROP TRIGGER packages_subscription_fixed ON packages_subscription;
CREATE TRIGGER packages_subscription_fixed
BEFORE UPDATE ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'currency', 'zone', 'had_trial', 'trial_of_id', 'created_at',
    'created_by_id'
);
DROP TRIGGER packages_subscription_is_of_its_price ON packages_subscription;
CREATE TRIGGER packages_subscription_is_of_its_price
BEFORE INSERT OR UPDATE OF price_version_id, package_id ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_subscription_is_of_its_price();

-- A change says what was agreed to; only what became of it is added.
CREATE TRIGGER packages_change_fixed
BEFORE UPDATE ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'from_version_id', 'from_seats', 'to_version_id', 'to_seats',
    'consent_id', 'made_at', 'made_by_id'
);
CREATE TRIGGER packages_change_decided_once
BEFORE UPDATE ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('applied_at', 'revoked_at');
CREATE TRIGGER packages_change_stays
BEFORE DELETE OR TRUNCATE ON packages_subscriptionchange
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION packages_change_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN accounts_consent AS c ON c.id = NEW.consent_id AND c.customer_id = s.customer_id
    LEFT JOIN packages_priceversion AS v ON v.id = NEW.to_version_id
    WHERE s.id = NEW.subscription_id AND coalesce(v.currency, s.currency) = s.currency
        AND coalesce(v.customer_id, s.customer_id) = s.customer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Change of subscription % is none of its own', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_change_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_change_is_its_subscriptions
BEFORE INSERT ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION packages_change_is_its_subscriptions();
