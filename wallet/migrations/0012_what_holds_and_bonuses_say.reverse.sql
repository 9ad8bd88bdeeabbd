DROP TRIGGER wallet_hold_fixed ON wallet_hold;
CREATE TRIGGER wallet_hold_fixed
BEFORE UPDATE ON wallet_hold
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'reference', 'currency', 'amount_minor', 'placed_at'
);

ALTER TABLE wallet_topup DROP CONSTRAINT wallet_topup_bonus_is_whole_minor_units;
