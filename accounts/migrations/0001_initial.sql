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
