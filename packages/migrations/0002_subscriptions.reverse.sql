DROP FUNCTION
    packages_subscription_is_of_its_price,
    packages_consent_is_the_customers,
    packages_period_is_cut_once,
    packages_period_leaves_no_gap,
    packages_coupon_scope_is_fixed_once_published,
    packages_coupon_counts_one_by_one,
    packages_coupon_count_is_its_uses,
    packages_couponuse_is_allowed,
    packages_couponuse_terms_fall,
    packages_period_coupon_holds,
    packages_couponuse_terms_are_its_periods,
    packages_package_is_had_once,
    packages_subscription_pauses_as_asked,
    packages_pause_is_its_subscriptions
CASCADE;
