DROP TRIGGER IF EXISTS accounts_currency_stays_once_fixed ON accounts_customer;
DROP FUNCTION IF EXISTS accounts_currency_stays_once_fixed();
