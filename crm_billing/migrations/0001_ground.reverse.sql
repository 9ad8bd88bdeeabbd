DROP FUNCTION
    money_minor,
    crm_billing_idempotency_key_has_answer,
    crm_billing_is_plain,
    crm_billing_plain_text
CASCADE;
