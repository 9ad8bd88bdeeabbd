-- What a letter said stays said; only whether it went out is added, once.
CREATE TRIGGER wallet_expiryletter_fixed
BEFORE UPDATE ON wallet_expiryletter
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns('id', 'customer_id', 'on_day', 'created_at');
CREATE TRIGGER wallet_expiryletter_sent_once
BEFORE UPDATE ON wallet_expiryletter
FOR EACH ROW WHEN (OLD.sent_at IS NOT NULL OR OLD.dropped_at IS NOT NULL)
EXECUTE FUNCTION wallet_fixed_columns(
    'sent_at', 'dropped_at', 'sent_to', 'locale', 'subject', 'text'
);
CREATE TRIGGER wallet_expiryletter_stays
BEFORE DELETE OR TRUNCATE ON wallet_expiryletter
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER wallet_expiryreminder_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_expiryreminder
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- It names lots of its own customer that expire.
CREATE FUNCTION wallet_expiryreminder_is_its_customers() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM wallet_expiryletter AS l
    INNER JOIN wallet_lot AS t ON t.customer_id = l.customer_id
    WHERE l.id = NEW.letter_id AND t.id = NEW.lot_id AND t.expires_at > l.created_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lot % is not for letter %', NEW.lot_id, NEW.letter_id
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'wallet_expiryreminder_is_its_customers';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER wallet_expiryreminder_is_its_customers
BEFORE INSERT ON wallet_expiryreminder
FOR EACH ROW EXECUTE FUNCTION wallet_expiryreminder_is_its_customers();
