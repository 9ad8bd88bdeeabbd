DROP TRIGGER accounts_consent_append_only ON accounts_consent;
DROP FUNCTION accounts_consent_append_only();
