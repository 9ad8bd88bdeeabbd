DROP TRIGGER packages_notice_fixed ON packages_notice;
CREATE TRIGGER packages_notice_fixed
BEFORE UPDATE ON packages_notice
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'subscription_id', 'kind', 'period_number', 'step', 'currency',
    'amount_minor', 'due_at', 'locale', 'subject', 'text', 'created_at'
);
