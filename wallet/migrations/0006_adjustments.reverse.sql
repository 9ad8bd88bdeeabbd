DROP FUNCTION
    wallet_adjustment_payload,
    wallet_adjustment_freezes_its_payload,
    wallet_adjustment_within_daily_limit,
    wallet_expiryreminder_is_its_customers
CASCADE;
