DROP FUNCTION
    wallet_columns_set_once,
    wallet_topup_is_allowed,
    wallet_attempt_is_its_topups,
    wallet_payment_is_what_was_ordered,
    wallet_receiptseries_goes_up_by_one,
    wallet_receipt_takes_the_next_number
CASCADE;
