-- Rules are only ever added to.
CREATE TRIGGER packages_dunningpolicy_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_dunningpolicy
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- New rules change nothing for whoever is on the way already.
CREATE FUNCTION packages_dunningpolicy_changes_no_way_begun() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM packages_subscription AS s WHERE s.past_due_at >= NEW.valid_from) THEN
        RAISE EXCEPTION 'Rules from % on would change a way begun', NEW.valid_from
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_dunningpolicy_changes_no_way_begun';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_dunningpolicy_changes_no_way_begun
BEFORE INSERT ON packages_dunningpolicy
FOR EACH ROW EXECUTE FUNCTION packages_dunningpolicy_changes_no_way_begun();

-- The steps lead from the first failure through every state to the end, and tell the customer of
-- each state, once a day at most. Broken is what the name of the constraint ends in.
CREATE FUNCTION packages_dunningpolicy_is_a_way() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    broken TEXT;
BEGIN
    IF jsonb_typeof(NEW.steps) <> 'array' OR jsonb_path_exists(NEW.steps, '$[*] ? (
        !(@.type() == "object" && @.hours.type() == "number" && @.state.type() == "string"
            && @.tells.type() == "boolean" && @.hours.floor() == @.hours)
    )')
    THEN
        broken := 'is_legible';
    ELSE
        WITH steps AS (
            SELECT s.*,
                lag(s.hours) OVER way AS hours_before,
                lag(s.state) OVER way AS state_before
            FROM ROWS FROM (
                jsonb_to_recordset(NEW.steps) AS (hours NUMERIC, state TEXT, tells BOOLEAN)
            ) WITH ORDINALITY AS s (hours, state, tells, place)
            WINDOW way AS (ORDER BY s.place)
        ), begun AS (
            SELECT * FROM steps WHERE state IS DISTINCT FROM state_before
        )
        SELECT CASE
            WHEN (SELECT bool_and(hours > coalesce(hours_before, -1)) AND min(hours) = 0
                    AND count(*) <= 30 FROM steps) IS NOT TRUE
                THEN 'ascends_from_the_failure'
            WHEN (SELECT string_agg(state, '>' ORDER BY place) FROM begun)
                    <> 'PAST_DUE>RESTRICTED>SUSPENDED>ENDED'
                OR (SELECT count(*) FROM steps WHERE state = 'ENDED') <> 1
                THEN 'goes_down_to_the_end'
            WHEN (SELECT hours FROM begun WHERE state = 'SUSPENDED') > 672
                THEN 'stops_within_a_term'
            WHEN (SELECT max(hours) FROM steps) > 8760
                THEN 'ends_within_a_year'
            WHEN EXISTS (SELECT FROM begun WHERE NOT tells)
                THEN 'tells_of_each_state'
            WHEN (SELECT count(*) > count(DISTINCT floor(hours / 24)) FROM steps WHERE tells)
                THEN 'tells_once_a_day'
        END INTO broken;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Dunning policy from % on is no way down', NEW.valid_from
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_dunningpolicy_' || broken;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_dunningpolicy_is_a_way
BEFORE INSERT ON packages_dunningpolicy
FOR EACH ROW EXECUTE FUNCTION packages_dunningpolicy_is_a_way();

ALTER TABLE packages_dunningpolicy ADD CONSTRAINT packages_dunningpolicy_within_the_calendar
CHECK (valid_from < '2200-01-02 00:00+00');
