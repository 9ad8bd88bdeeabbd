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
