DROP TRIGGER wallet_adjustment_within_daily_limit ON wallet_adjustment;
DROP FUNCTION wallet_adjustment_within_daily_limit();
DROP TRIGGER wallet_adjustment_fixed ON wallet_adjustment;
CREATE TRIGGER wallet_adjustment_fixed
BEFORE UPDATE ON wallet_adjustment
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'number', 'customer_id', 'direction', 'kind', 'amount', 'amount_currency',
    'bonus_expires_at', 'reason', 'attachment', 'attachment_name', 'attachment_type',
    'payload_sha256', 'maker_id', 'proposed_at'
);
ALTER TABLE wallet_adjustment DROP CONSTRAINT wallet_adjustment_proposed_on_its_day;
