DROP TRIGGER packages_quote_fixed ON packages_pricequote;
CREATE TRIGGER packages_quote_fixed
BEFORE UPDATE ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'code', 'customer_id', 'price_version_id', 'seats', 'has_trial', 'currency', 'due_minor',
    'each_term_minor', 'made_at', 'made_by_id', 'expires_at'
);
DROP TRIGGER packages_period_takes_a_term_of_its_coupon ON packages_subscriptionperiod;
DROP TRIGGER packages_couponuse_terms_are_its_periods ON packages_couponuse;
DROP FUNCTION packages_couponuse_terms_are_its_periods();
DROP TRIGGER packages_period_coupon_holds ON packages_subscriptionperiod;
DROP FUNCTION packages_period_coupon_holds();
DROP TRIGGER packages_couponuse_terms_fall ON packages_couponuse;
DROP FUNCTION packages_couponuse_terms_fall();
DROP TRIGGER packages_couponuse_stays ON packages_couponuse;
DROP TRIGGER packages_couponuse_ended_once ON packages_couponuse;
DROP TRIGGER packages_couponuse_fixed ON packages_couponuse;
DROP TRIGGER packages_couponuse_is_allowed ON packages_couponuse;
DROP FUNCTION packages_couponuse_is_allowed();
DROP TRIGGER packages_coupon_count_is_its_uses ON packages_coupon;
DROP FUNCTION packages_coupon_count_is_its_uses();
DROP TRIGGER packages_coupon_counts_one_by_one ON packages_coupon;
DROP FUNCTION packages_coupon_counts_one_by_one();
DROP TRIGGER packages_coupon_scope_is_fixed_once_published ON packages_coupon_packages;
DROP FUNCTION packages_coupon_scope_is_fixed_once_published();
DROP TRIGGER packages_coupon_stays ON packages_coupon;
DROP TRIGGER packages_coupon_ended_once ON packages_coupon;
DROP TRIGGER packages_coupon_is_fixed_once_published ON packages_coupon;
