DROP TRIGGER packages_change_is_its_subscriptions ON packages_subscriptionchange;
DROP FUNCTION packages_change_is_its_subscriptions();
DROP TRIGGER packages_change_stays ON packages_subscriptionchange;
DROP TRIGGER packages_change_decided_once ON packages_subscriptionchange;
DROP TRIGGER packages_change_fixed ON packages_subscriptionchange;
DROP TRIGGER packages_subscription_is_of_its_price ON packages_subscription;
CREATE TRIGGER packages_subscription_is_of_its_price
BEFORE INSERT OR UPDATE OF price_version_id ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION packages_subscription_is_of_its_price();
DROP TRIGGER packages_subscription_fixed ON packages_subscription;
CREATE TRIGGER packages_subscription_fixed
BEFORE UPDATE ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'package_id', 'currency', 'zone', 'had_trial', 'created_at',
    'created_by_id'
);
