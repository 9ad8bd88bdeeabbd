DROP FUNCTION crm_billing_plain_text();
DROP FUNCTION crm_billing_is_plain(TEXT);
