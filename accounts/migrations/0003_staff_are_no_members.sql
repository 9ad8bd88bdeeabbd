-- Whoever looks after customers acts for none. Both ways read the person's row locked, so that
-- an appointment and a membership at once are judged one after the other. Who was both before
-- stays so until one of the two ends.
CREATE FUNCTION accounts_staff_are_no_members() RETURNS trigger
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

CREATE TRIGGER accounts_member_is_not_staff
    AFTER INSERT OR UPDATE OF user_id ON accounts_member
    FOR EACH ROW EXECUTE FUNCTION accounts_staff_are_no_members();

CREATE TRIGGER accounts_staff_is_not_a_member
    AFTER UPDATE OF is_staff ON accounts_user
    FOR EACH ROW WHEN (NEW.is_staff AND NOT OLD.is_staff)
    EXECUTE FUNCTION accounts_staff_are_no_members();
