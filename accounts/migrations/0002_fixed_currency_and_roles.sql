-- Once money has moved, a customer's currency stays what it was.
CREATE FUNCTION accounts_currency_stays_once_fixed() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION 'the currency of customer % is fixed', OLD.number
        USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_currency_stays_once_fixed';
END $$;

CREATE TRIGGER accounts_currency_stays_once_fixed
    BEFORE UPDATE OF currency, currency_fixed_at ON accounts_customer
    FOR EACH ROW
    WHEN (
        OLD.currency_fixed_at IS NOT NULL
        AND (NEW.currency <> OLD.currency
             OR NEW.currency_fixed_at IS DISTINCT FROM OLD.currency_fixed_at)
    )
    EXECUTE FUNCTION accounts_currency_stays_once_fixed();
