-- Whoever looks after customers acts for none, also where both begin at the same time. A member
-- locks the person until the commit: an appointment under way is waited for and then seen, a later
-- one waits for the member and then sees it. The lock stands in a query with no other condition:
-- what else were asked of the row would be judged before the lock is taken, or leave it out. Who was
-- both before stays so until one of the two ends.
CREATE FUNCTION accounts_staff_are_no_members() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    is_both boolean;
BEGIN
    IF TG_TABLE_NAME = 'accounts_user' THEN
        is_both := EXISTS (SELECT FROM accounts_member WHERE user_id = NEW.id);
    ELSE
        SELECT is_staff INTO is_both FROM accounts_user WHERE id = NEW.user_id FOR SHARE;
    END IF;
    IF is_both THEN
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
