DROP TRIGGER accounts_staff_is_not_a_member ON accounts_user;
DROP TRIGGER accounts_member_is_not_staff ON accounts_member;
DROP FUNCTION accounts_staff_are_no_members();
