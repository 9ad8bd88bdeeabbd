-- An account is a customer's if its kind is, credit kinds are liabilities, currencies are ISO codes.
-- None of these columns ever changes (wallet_ledgeraccount_fixed), so they are checked when an
-- account is opened and not, as CHECKs are, with every posting.
CREATE FUNCTION wallet_account_is_of_its_kind() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    credit CONSTANT BOOLEAN := NEW.kind IN ('PRINCIPAL', 'BONUS', 'POINTS');
    broken CONSTANT TEXT := CASE
        WHEN (NEW.customer_id IS NOT NULL) <> (credit OR NEW.kind = 'DEBT')
            THEN 'wallet_account_customer_iff_customer_kind'
        WHEN NEW.sign NOT IN (-1, 1) OR credit AND NEW.sign <> -1
            THEN 'wallet_account_credit_kinds_are_liabilities'
        WHEN NEW.currency !~ '^[A-Z]{3}$' THEN 'wallet_account_currency_is_iso'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Account % breaks a rule of its kind', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_account_is_of_its_kind
BEFORE INSERT ON wallet_ledgeraccount
FOR EACH ROW EXECUTE FUNCTION wallet_account_is_of_its_kind();

-- Every posting writes its account again: room on the page keeps that off the indexes.
ALTER TABLE wallet_ledgeraccount SET (fillfactor = 60);
