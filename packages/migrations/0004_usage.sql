-- A meter is what it was made as. It retires once and is never deleted.
CREATE FUNCTION packages_meter_stays() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    retiring CONSTANT TEXT[] := '{retired_at,retired_by_id}';
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - retiring <> to_jsonb(OLD) - retiring THEN
        RAISE EXCEPTION 'Meter % stays as it is', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_meter_stays';
    END IF;
    IF OLD.retired_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'Meter % has been retired', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_meter_retires_once';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_meter_stays
BEFORE UPDATE OR DELETE ON packages_meter
FOR EACH ROW EXECUTE FUNCTION packages_meter_stays();

-- What was told stays told: corrections are events of their own.
CREATE FUNCTION packages_usage_is_append_only() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is forbidden', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END;
$$;

CREATE TRIGGER packages_usage_is_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_usageevent
FOR EACH STATEMENT EXECUTE FUNCTION packages_usage_is_append_only();

CREATE TRIGGER packages_meter_is_never_emptied
BEFORE TRUNCATE ON packages_meter
FOR EACH STATEMENT EXECUTE FUNCTION packages_usage_is_append_only();

-- Hours change only from within, when events come.
CREATE FUNCTION packages_usage_hour_follows() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') OR pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'Hours of usage follow from its events'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_usage_hour_follows';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_usage_hour_follows
BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON packages_usagehour
FOR EACH STATEMENT EXECUTE FUNCTION packages_usage_hour_follows();

-- What is left of events: (customer, meter, moments from, to) -> one row for each event that has not
-- been taken back whole, with its corrections taken off.
CREATE FUNCTION packages_usage_left(
    of_customer BIGINT, of_meter BIGINT, from_moment TIMESTAMPTZ, to_moment TIMESTAMPTZ
)
RETURNS TABLE (
    event_id TEXT, counts_at TIMESTAMPTZ, subject TEXT, quantity NUMERIC, value_minor NUMERIC
)
LANGUAGE sql STABLE AS $$
    SELECT
        coalesce(nullif(e.corrects, ''), e.event_id),
        min(e.counts_at),
        min(e.subject) FILTER (WHERE e.corrects = ''),
        sum(e.quantity),
        coalesce(sum(e.value_minor), 0)
    FROM packages_usageevent AS e
    WHERE
        e.customer_id = of_customer
        AND e.meter_id = of_meter
        AND e.counts_at >= from_moment
        AND e.counts_at < to_moment
    GROUP BY 1
    HAVING count(*) = 1 OR sum(e.quantity) > 0
$$;

-- After each statement that tells of use: hold what came to the rules that need other rows, then
-- roll it up by hours. Rows are locked in one order: corrected events by id, then hours.
CREATE FUNCTION packages_usage_rolls_up() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    broken TEXT;
    mends BOOLEAN;
BEGIN
    mends := EXISTS (SELECT FROM new_events AS n WHERE n.corrects <> '');

    SELECT min(n.event_id) INTO broken
    FROM new_events AS n
    LEFT JOIN packages_meter AS m ON m.id = n.meter_id
    LEFT JOIN accounts_customer AS c ON c.id = n.customer_id
    WHERE
        m.id IS NULL
        OR c.id IS NULL
        OR m.carries_value <> (n.value_minor IS NOT NULL)
        OR n.currency NOT IN ('', c.currency)
        OR m.retired_at <= n.received_at
        OR (m.aggregation = 'UNIQUE' AND n.subject = '' AND n.corrects = '');
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Event % does not fit its meter', broken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_usage_fits_its_meter';
    END IF;

    IF mends THEN
        PERFORM FROM packages_usageevent AS e
        INNER JOIN (SELECT DISTINCT customer_id, corrects FROM new_events WHERE corrects <> '') AS n
            ON e.customer_id = n.customer_id AND e.event_id = n.corrects
        ORDER BY e.id
        FOR NO KEY UPDATE OF e;

        SELECT min(n.event_id) INTO broken
        FROM new_events AS n
        LEFT JOIN packages_usageevent AS e
            ON e.customer_id = n.customer_id
            AND e.event_id = n.corrects
            AND e.meter_id = n.meter_id
            AND e.corrects = ''
            AND e.counts_at = n.counts_at
            AND e.currency = n.currency
        WHERE n.corrects <> '' AND e.id IS NULL;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'Event % corrects nothing of its kind', broken
                USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_usage_corrects_its_like';
        END IF;

        SELECT min(e.event_id) INTO broken
        FROM packages_usageevent AS e
        INNER JOIN (SELECT DISTINCT customer_id, corrects FROM new_events WHERE corrects <> '') AS n
            ON e.customer_id = n.customer_id AND e.event_id = n.corrects
        INNER JOIN LATERAL (
            SELECT sum(c.quantity) AS quantity, coalesce(sum(c.value_minor), 0) AS value_minor
            FROM packages_usageevent AS c
            WHERE c.customer_id = e.customer_id AND c.corrects = e.event_id
        ) AS taken ON TRUE
        WHERE e.quantity + taken.quantity < 0 OR e.value_minor + taken.value_minor < 0;
        IF broken IS NOT NULL THEN
            RAISE EXCEPTION 'Corrections take more from event % than there was', broken
                USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_usage_corrects_no_more';
        END IF;
    END IF;

    INSERT INTO packages_usagehour AS h (
        customer_id, meter_id, starts_at, events, total, value_minor, largest, last, last_at,
        last_event
    )
    SELECT
        n.customer_id,
        n.meter_id,
        date_bin('1 hour', n.counts_at, '2000-01-01 00:00+00'),
        count(*),
        sum(n.quantity),
        coalesce(sum(n.value_minor), 0),
        max(n.quantity),
        (array_agg(n.quantity ORDER BY n.counts_at DESC, n.event_id DESC))[1],
        max(n.counts_at),
        (array_agg(n.event_id ORDER BY n.counts_at DESC, n.event_id DESC))[1]
    FROM new_events AS n
    WHERE n.corrects = ''
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (customer_id, meter_id, starts_at) DO UPDATE SET
        events = h.events + EXCLUDED.events,
        total = h.total + EXCLUDED.total,
        value_minor = h.value_minor + EXCLUDED.value_minor,
        largest = greatest(h.largest, EXCLUDED.largest),
        (last, last_at, last_event) = (
            SELECT l.last, l.last_at, l.last_event
            FROM (
                VALUES (h.last, h.last_at, h.last_event),
                    (EXCLUDED.last, EXCLUDED.last_at, EXCLUDED.last_event)
            ) AS l (last, last_at, last_event)
            WHERE l.last_at IS NOT NULL
            ORDER BY l.last_at DESC, l.last_event DESC
            LIMIT 1
        );

    -- An hour with a correction is counted anew, from its events.
    IF mends THEN
        PERFORM FROM packages_usagehour AS h
        INNER JOIN (
            SELECT DISTINCT
                customer_id, meter_id, date_bin('1 hour', counts_at, '2000-01-01 00:00+00') AS hour
            FROM new_events WHERE corrects <> ''
        ) AS n ON (h.customer_id, h.meter_id, h.starts_at) = (n.customer_id, n.meter_id, n.hour)
        ORDER BY h.customer_id, h.meter_id, h.starts_at
        FOR NO KEY UPDATE OF h;

        UPDATE packages_usagehour AS h
        SET events = s.events,
            total = s.total,
            value_minor = s.value_minor,
            largest = s.largest,
            last = s.last,
            last_at = s.last_at,
            last_event = coalesce(s.last_event, '')
        FROM (
            SELECT DISTINCT
                customer_id, meter_id, date_bin('1 hour', counts_at, '2000-01-01 00:00+00') AS hour
            FROM new_events WHERE corrects <> ''
        ) AS n
        CROSS JOIN LATERAL (
            SELECT
                count(*) AS events,
                coalesce(sum(l.quantity), 0) AS total,
                coalesce(sum(l.value_minor), 0) AS value_minor,
                max(l.quantity) AS largest,
                (array_agg(
                    l.quantity ORDER BY l.counts_at DESC, l.event_id COLLATE "C" DESC
                ))[1] AS last,
                max(l.counts_at) AS last_at,
                (array_agg(
                    l.event_id ORDER BY l.counts_at DESC, l.event_id COLLATE "C" DESC
                ))[1] AS last_event
            FROM packages_usage_left(n.customer_id, n.meter_id, n.hour, n.hour + '1 hour') AS l
        ) AS s
        WHERE (h.customer_id, h.meter_id, h.starts_at) = (n.customer_id, n.meter_id, n.hour);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_usage_rolls_up
AFTER INSERT ON packages_usageevent
REFERENCING NEW TABLE AS new_events
FOR EACH STATEMENT EXECUTE FUNCTION packages_usage_rolls_up();

-- Whatever a customer decides stays written; the last row holds.
CREATE TRIGGER packages_overage_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_overage
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER packages_cap_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_spendingcap
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER packages_overage_consent_is_its_customers
BEFORE INSERT ON packages_overage
FOR EACH ROW EXECUTE FUNCTION packages_consent_is_the_customers();

-- A rule may be made in a term that is used and not paid yet: the one after the last.
CREATE FUNCTION packages_overage_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN packages_subscriptionperiod AS p ON p.subscription_id = s.id
    WHERE s.id = NEW.subscription_id AND s.customer_id = NEW.customer_id
        AND p.number IN (NEW.period_number, NEW.period_number - 1);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Rule for % is about no term of its customer', NEW.code
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_overage_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_overage_is_its_subscriptions
BEFORE INSERT ON packages_overage
FOR EACH ROW EXECUTE FUNCTION packages_overage_is_its_subscriptions();

-- All that is told of a customer's use marks the customer, in the same transaction: kept answers
-- about entitlements look at the mark instead of at the events (docs/adr/0020-kept-answers.md).
CREATE FUNCTION packages_usage_sets_mark() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO packages_usagemark (customer_id, marked_at)
    SELECT DISTINCT n.customer_id, now() FROM new_events AS n ORDER BY n.customer_id
    ON CONFLICT (customer_id) DO UPDATE SET marked_at = EXCLUDED.marked_at;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_usage_sets_mark
AFTER INSERT ON packages_usageevent
REFERENCING NEW TABLE AS new_events
FOR EACH STATEMENT EXECUTE FUNCTION packages_usage_sets_mark();

CREATE TRIGGER packages_meter_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en, unit, unit_en
ON packages_meter
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en', 'unit', 'unit_en');
