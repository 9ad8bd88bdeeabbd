-- As of the amounts themselves: whole minor units, never NaN.
ALTER TABLE wallet_topup
    ADD CONSTRAINT wallet_topup_bonus_is_whole_minor_units
    CHECK (money_minor(promised_bonus, promised_bonus_currency) >= 0);

-- What the customer was told a hold is for stays as it was told.
DROP TRIGGER wallet_hold_fixed ON wallet_hold;
CREATE TRIGGER wallet_hold_fixed
BEFORE UPDATE ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'reference', 'description', 'currency', 'amount_minor', 'placed_at'
);
