-- Who may tell of use may take it back, and who may release held money may release what we hold for
-- what is delivered: no customer's person makes a key that may.
CREATE FUNCTION accounts_apikey_of_ours_alone() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts_user AS u WHERE u.id = NEW.created_by_id AND NOT u.is_staff;
    IF FOUND THEN
        RAISE EXCEPTION 'Key % has a scope of ours and was made by a customer', NEW.prefix
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER accounts_apikey_of_ours_alone
BEFORE INSERT OR UPDATE OF scopes, created_by_id ON accounts_apikey
FOR EACH ROW WHEN (NEW.scopes::TEXT[] && ARRAY['holds:write', 'usage:write'])
EXECUTE FUNCTION accounts_apikey_of_ours_alone();
