DROP FUNCTION
    wallet_lot_lives_longer,
    wallet_lot_lies_in_its_account,
    wallet_customer_is_active,
    wallet_state_follows,
    wallet_lot_expires_rightly,
    wallet_lotuse_is_of_its_account
CASCADE;
