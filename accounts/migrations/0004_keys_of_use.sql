-- Who may tell of use may take it back: no customer's person makes a key that may.
CREATE FUNCTION accounts_apikey_of_use_is_ours() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts_user AS u WHERE u.id = NEW.created_by_id AND NOT u.is_staff;
    IF FOUND THEN
        RAISE EXCEPTION 'Key % tells of use and was made by a customer', NEW.prefix
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER accounts_apikey_of_use_is_ours
BEFORE INSERT OR UPDATE OF scopes, created_by_id ON accounts_apikey
FOR EACH ROW WHEN ('usage:write' = ANY (NEW.scopes))
EXECUTE FUNCTION accounts_apikey_of_use_is_ours();
