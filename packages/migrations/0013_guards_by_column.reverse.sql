DROP TRIGGER packages_subscription_is_still_of_its_price ON packages_subscription;
DROP TRIGGER packages_subscription_is_of_its_price ON packages_subscription;
CREATE TRIGGER packages_subscription_is_of_its_price
BEFORE INSERT OR UPDATE OF price_version_id, package_id ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_subscription_is_of_its_price();
DROP TRIGGER packages_subscription_ends_once ON packages_subscription;
CREATE TRIGGER packages_subscription_ends_once
BEFORE UPDATE ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('ended_at');
DROP TRIGGER packages_subscription_fixed ON packages_subscription;
CREATE TRIGGER packages_subscription_fixed
BEFORE UPDATE ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'currency', 'zone', 'had_trial', 'trial_of_id', 'created_at',
    'created_by_id'
);
