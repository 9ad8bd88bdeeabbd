DROP TRIGGER packages_announcement_replaced_if_it_came_back ON packages_priceannouncement;
DROP FUNCTION packages_announcement_replaced_if_it_came_back();
DROP TRIGGER packages_announcement_agreed_once ON packages_priceannouncement;
CREATE TRIGGER packages_announcement_agreed_once
BEFORE UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('consent_id', 'agreed_at', 'agreed_by_id');
