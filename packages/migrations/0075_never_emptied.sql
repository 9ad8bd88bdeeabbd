-- What a published price and a published coupon are made of goes row by row, where it is a draft's;
-- TRUNCATE asks no row.
CREATE TRIGGER packages_component_is_never_emptied
BEFORE TRUNCATE ON packages_pricecomponent
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER packages_offer_is_never_emptied
BEFORE TRUNCATE ON packages_topupoffer
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER packages_coupon_scope_is_never_emptied
BEFORE TRUNCATE ON packages_coupon_packages
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
