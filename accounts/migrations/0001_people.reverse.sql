DROP FUNCTION
    accounts_customer_keeps_an_owner,
    accounts_currency_stays_once_fixed,
    accounts_consent_append_only
CASCADE;
DROP SEQUENCE accounts_customer_number;
