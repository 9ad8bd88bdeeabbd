DROP TRIGGER IF EXISTS accounts_customer_keeps_an_owner ON accounts_member;
DROP FUNCTION IF EXISTS accounts_customer_keeps_an_owner();
DROP SEQUENCE IF EXISTS accounts_customer_number;
