-- Numbers of customers: C00000001, C00000002, … A refused opening may leave a gap.
CREATE SEQUENCE accounts_customer_number START 1;

-- Somebody must always answer for a customer. The customer's row is locked first, so that
-- two owners who remove each other at once are judged one after the other; the check waits
-- for the end of the transaction, so that ownership can change hands in any order.
CREATE FUNCTION accounts_customer_keeps_an_owner() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM accounts_customer WHERE id = OLD.customer_id FOR UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM accounts_member WHERE customer_id = OLD.customer_id AND role = 'OWNER'
    ) THEN
        RAISE EXCEPTION 'customer % would be left without an owner', OLD.customer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_customer_keeps_an_owner';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER accounts_customer_keeps_an_owner
    AFTER UPDATE OF role, customer_id OR DELETE ON accounts_member
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.role = 'OWNER')
    EXECUTE FUNCTION accounts_customer_keeps_an_owner();

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

-- What people agreed to is kept as it was.
CREATE FUNCTION accounts_consent_append_only() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'accounts_consent is append-only'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER accounts_consent_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts_consent
FOR EACH STATEMENT EXECUTE FUNCTION accounts_consent_append_only();

-- What people and customers are called can be seen, whoever writes it.
CREATE TRIGGER accounts_customer_names_are_plain
BEFORE INSERT OR UPDATE OF
    name, contact_name, contact_email, contact_phone, address, tax_title, tax_number
ON accounts_customer
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text(
    'name', 'contact_name', 'contact_email', 'contact_phone', 'address',
    'tax_title', 'tax_number'
);

CREATE TRIGGER accounts_user_name_is_plain
BEFORE INSERT OR UPDATE OF name, email
ON accounts_user
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'email');

CREATE TRIGGER accounts_invitation_email_is_plain
BEFORE INSERT OR UPDATE OF email
ON accounts_invitation
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('email');

CREATE TRIGGER accounts_apikey_name_is_plain
BEFORE INSERT OR UPDATE OF name
ON accounts_apikey
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name');
