-- The whole minor units of an amount. Refuses what is finer than a minor unit, so that a
-- CHECK calling it can never be satisfied by NULL.
CREATE FUNCTION money_minor(amount numeric, currency text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    places CONSTANT integer := CASE
        WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PTS', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
        WHEN currency IN ('CLF', 'UYW') THEN 4
        ELSE 2
    END;
    minor CONSTANT numeric := amount * (10::numeric ^ places);
BEGIN
    IF currency !~ '^[A-Z]{3}$' THEN
        RAISE check_violation USING MESSAGE = format('%s is not a currency', currency);
    END IF;
    IF minor IN ('NaN', 'Infinity', '-Infinity') OR minor <> trunc(minor) THEN
        RAISE check_violation USING
            MESSAGE = format('%s %s is no whole number of minor units', amount, currency);
    END IF;
    RETURN minor::bigint;
END;
$$;

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

-- Whether everything in a text can be seen, as crm_billing/plain_text.py has it: no control or format
-- character, no separator of lines or paragraphs. Joiners only where they may shape what is written:
-- not at an end, and not after a letter, digit or blank that joins nothing. What Python takes passes.
CREATE FUNCTION crm_billing_is_plain(said TEXT) RETURNS BOOLEAN
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT said !~ (
        '[\u0001-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e'
        '\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb'
        '\U000110bd\U000110cd\U00013430-\U00013438\U0001bca0-\U0001bca3\U0001d173-\U0001d17a'
        '\U000e0001\U000e0020-\U000e007f]'
        '|(^|[ A-Za-z0-9\u00c0-\u024f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3])[\u200c\u200d]'
        '|[\u200c\u200d]$'
    )
$$;

-- Arguments of the trigger: the columns that hold such texts. Looked at are those that are new or
-- change, so that a row older than the rule stays as it is and keeps nobody from anything else.
CREATE FUNCTION crm_billing_plain_text() RETURNS TRIGGER
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
