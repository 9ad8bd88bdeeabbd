DROP FUNCTION
    packages_meter_stays,
    packages_usage_is_append_only,
    packages_usage_hour_follows,
    packages_usage_left,
    packages_usage_rolls_up,
    packages_overage_is_its_subscriptions,
    packages_usage_sets_mark
CASCADE;
