DROP TRIGGER packages_change_was_agreed_to ON packages_subscriptionchange;
DROP FUNCTION packages_change_was_agreed_to();
DROP TRIGGER packages_change_fixed ON packages_subscriptionchange;
CREATE TRIGGER packages_change_fixed
BEFORE UPDATE ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'from_version_id', 'from_seats', 'to_version_id', 'to_seats',
    'consent_id', 'made_at', 'made_by_id'
);
DROP TRIGGER packages_announcement_is_its_subscriptions ON packages_priceannouncement;
DROP FUNCTION packages_announcement_is_its_subscriptions();
DROP TRIGGER packages_announcement_stays ON packages_priceannouncement;
DROP TRIGGER packages_announcement_agreed_once ON packages_priceannouncement;
DROP TRIGGER packages_announcement_fixed ON packages_priceannouncement;
DROP TRIGGER packages_move_is_of_one_package ON packages_pricemove;
DROP FUNCTION packages_move_is_of_one_package();
DROP TRIGGER packages_move_stays ON packages_pricemove;
DROP TRIGGER packages_move_revoked_once ON packages_pricemove;
DROP TRIGGER packages_move_fixed ON packages_pricemove;
