CREATE TRIGGER packages_quote_consent_is_its_customers
BEFORE INSERT OR UPDATE OF consent_id ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION packages_consent_is_the_customers();

CREATE TRIGGER packages_quote_decided_once
BEFORE UPDATE ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('accepted_at', 'subscription_id');

-- A quote says what was shown; only what became of it is added.
CREATE TRIGGER packages_quote_fixed
BEFORE UPDATE ON packages_pricequote
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'code', 'customer_id', 'price_version_id', 'seats', 'coupon_id', 'has_trial', 'currency',
    'due_minor', 'each_term_minor', 'made_at', 'made_by_id', 'expires_at'
);

-- What a customer was offered, and by which words they agreed, stays; bought or not.
CREATE TRIGGER packages_quote_stays
BEFORE DELETE OR TRUNCATE ON packages_pricequote
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
