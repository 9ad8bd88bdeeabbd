-- Arguments of the trigger: the columns that hold such texts. Looked at are those that are new or
-- change, so that a row older than the rule stays as it is and keeps nobody from anything else.
CREATE OR REPLACE FUNCTION crm_billing_plain_text() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    was JSONB;
    becomes JSONB := to_jsonb(NEW);
    named TEXT;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        was := to_jsonb(OLD);
    END IF;
    FOREACH named IN ARRAY TG_ARGV LOOP
        IF was ->> named IS DISTINCT FROM becomes ->> named
            AND NOT crm_billing_is_plain(becomes ->> named)
        THEN
            RAISE EXCEPTION '%.% holds an invisible character', TG_TABLE_NAME, named
                USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
        END IF;
    END LOOP;
    RETURN NEW;
END;
$$;
