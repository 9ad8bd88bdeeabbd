-- What people agreed to is kept as it was.
CREATE FUNCTION accounts_consent_append_only() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'accounts_consent is append-only'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER accounts_consent_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts_consent
FOR EACH STATEMENT EXECUTE FUNCTION accounts_consent_append_only();
