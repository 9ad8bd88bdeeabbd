-- A renewal writes few of a subscription's columns. Guards of the others are asked only when a
-- statement names them, and the price only when it is another one.
DROP TRIGGER packages_subscription_fixed ON packages_subscription;
CREATE TRIGGER packages_subscription_fixed
BEFORE UPDATE OF
    id, number, customer_id, currency, zone, had_trial, trial_of_id, created_at, created_by_id
ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'currency', 'zone', 'had_trial', 'trial_of_id', 'created_at',
    'created_by_id'
);
DROP TRIGGER packages_subscription_ends_once ON packages_subscription;
CREATE TRIGGER packages_subscription_ends_once
BEFORE UPDATE OF ended_at ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('ended_at');
DROP TRIGGER packages_subscription_is_of_its_price ON packages_subscription;
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
