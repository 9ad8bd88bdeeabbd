-- A key and its answer commit together: looked at when the transaction ends, a key that still
-- has no answer undoes the whole.
CREATE FUNCTION crm_billing_idempotency_key_has_answer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM crm_billing_idempotencykey WHERE id = NEW.id AND finished_at IS NULL
    ) THEN
        RAISE check_violation USING
            MESSAGE = format('idempotency key %s %s commits without an answer', NEW.scope, NEW.key),
            CONSTRAINT = 'idempotency_unfinished_keys_never_commit';
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER idempotency_unfinished_keys_never_commit
AFTER INSERT OR UPDATE ON crm_billing_idempotencykey
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION crm_billing_idempotency_key_has_answer();
