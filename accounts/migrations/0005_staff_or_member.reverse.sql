CREATE OR REPLACE FUNCTION accounts_staff_are_no_members() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounts_user' THEN
        PERFORM 1 FROM accounts_member WHERE user_id = NEW.id;
    ELSE
        PERFORM 1 FROM (
            SELECT is_staff FROM accounts_user WHERE id = NEW.user_id FOR SHARE
        ) AS person WHERE is_staff;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'one of the staff would be a member of a customer'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
