ALTER TABLE packages_charge
    ADD CONSTRAINT packages_charge_is_for_a_period
    FOREIGN KEY (subscription_id, period_number)
    REFERENCES packages_subscriptionperiod (subscription_id, number);

-- A charge says what its entry took: from the same customer, the same amount, for its period.
CREATE FUNCTION packages_charge_is_its_entry() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    wrong BIGINT;
BEGIN
    SELECT f.id INTO wrong
    FROM fresh AS f
    INNER JOIN wallet_journalentry AS e ON e.id = f.entry_id
    INNER JOIN packages_subscription AS s ON s.id = f.subscription_id
    INNER JOIN accounts_consent AS c ON c.id = f.consent_id
    CROSS JOIN LATERAL (
        SELECT sum(p.amount_minor) AS taken
        FROM wallet_posting AS p
        WHERE p.entry_id = f.entry_id AND p.account_version IS NOT NULL
            AND p.currency = f.currency
    ) AS lines
    WHERE e.kind <> 'SPEND'
        OR e.customer_id <> f.customer_id
        OR s.customer_id <> f.customer_id
        OR s.currency <> f.currency
        OR c.customer_id <> f.customer_id
        OR lines.taken IS DISTINCT FROM f.amount_minor
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Charge % is not what its entry took', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_charge_is_its_entry';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_charge_is_its_entry
AFTER INSERT ON packages_charge
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_charge_is_its_entry();

CREATE TRIGGER packages_charge_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_charge
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- How long before a renewal it must have been announced (D§6.2); packages.wording.NOTICE_DAYS.
CREATE FUNCTION packages_notice_days() RETURNS INTERVAL
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT INTERVAL '5 days' $$;

-- Nothing is charged unannounced: a renewal takes at most what its notice said, so many days after
-- it went out and if it has not come back, by the consent that switched renewals on.
CREATE FUNCTION packages_charge_was_announced() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    wrong BIGINT;
BEGIN
    SELECT f.id INTO wrong
    FROM fresh AS f
    INNER JOIN packages_notice AS n ON n.id = f.notice_id
    INNER JOIN packages_subscription AS s ON s.id = f.subscription_id
    WHERE f.kind = 'RENEWAL' AND (
        n.kind <> 'RENEWAL'
        OR n.subscription_id <> f.subscription_id
        OR n.period_number <> f.period_number
        OR n.amount_minor < f.amount_minor
        OR n.sent_at IS NULL
        OR n.sent_at + packages_notice_days() > f.charged_at
        OR n.bounced_at <= f.charged_at
        OR s.consent_id IS DISTINCT FROM f.consent_id
        OR NOT s.auto_renew
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Charge % was not announced in time', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_charge_was_announced';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_charge_was_announced
AFTER INSERT ON packages_charge
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_charge_was_announced();

-- A bill is for a paid term of its customer and says for good what was reckoned.
ALTER TABLE packages_usagebill
    ADD CONSTRAINT packages_bill_is_for_a_period
    FOREIGN KEY (subscription_id, period_number)
    REFERENCES packages_subscriptionperiod (subscription_id, number);

CREATE FUNCTION packages_bill_is_its_periods() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN packages_subscriptionperiod AS p
        ON p.subscription_id = s.id AND p.number = NEW.period_number
    INNER JOIN packages_priceversion AS v ON v.id = NEW.price_version_id
    WHERE s.id = NEW.subscription_id AND s.customer_id = NEW.customer_id
        AND s.currency = NEW.currency AND v.currency = NEW.currency
        AND p.starts_at = NEW.starts_at AND p.ends_at = NEW.ends_at AND NOT p.is_trial;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Bill of subscription % is for no paid term of it', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_bill_is_its_periods';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_bill_is_its_periods
BEFORE INSERT ON packages_usagebill
FOR EACH ROW EXECUTE FUNCTION packages_bill_is_its_periods();

CREATE TRIGGER packages_bill_fixed
BEFORE UPDATE ON packages_usagebill
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'subscription_id', 'period_number', 'price_version_id', 'starts_at',
    'ends_at', 'currency', 'rated_minor', 'amount_minor', 'lines', 'made_at'
);

CREATE TRIGGER packages_bill_settled_once
BEFORE UPDATE ON packages_usagebill
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('settled_at', 'charge_id');

CREATE TRIGGER packages_bill_stays
BEFORE DELETE OR TRUNCATE ON packages_usagebill
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- The charge that settles a bill took what the bill says, for the same term.
CREATE FUNCTION packages_bill_is_settled_in_full() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_charge AS c
    WHERE c.id = NEW.charge_id AND c.kind = 'USAGE' AND c.subscription_id = NEW.subscription_id
        AND c.period_number = NEW.period_number AND c.amount_minor = NEW.amount_minor
        AND c.lines = NEW.lines;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Charge % does not settle bill %', NEW.charge_id, NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_bill_is_settled_in_full';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_bill_is_settled_in_full
BEFORE INSERT OR UPDATE OF charge_id ON packages_usagebill
FOR EACH ROW WHEN (NEW.charge_id IS NOT NULL)
EXECUTE FUNCTION packages_bill_is_settled_in_full();

-- Use is charged only by a bill, and by the customer's consent to it.
CREATE FUNCTION packages_charge_of_use_was_billed() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    wrong BIGINT;
BEGIN
    SELECT f.id INTO wrong
    FROM fresh AS f
    LEFT JOIN packages_usagebill AS b
        ON b.subscription_id = f.subscription_id AND b.period_number = f.period_number
            AND b.amount_minor = f.amount_minor AND b.lines = f.lines
    WHERE f.kind = 'USAGE' AND (
        b.id IS NULL
        OR NOT EXISTS (
            SELECT FROM packages_overage AS o
            WHERE o.subscription_id = f.subscription_id AND o.consent_id = f.consent_id
        )
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Charge % was neither billed nor agreed to', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_charge_of_use_was_billed';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_charge_of_use_was_billed
AFTER INSERT ON packages_charge
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_charge_of_use_was_billed();

-- The use of a feature at a moment is billed once.
ALTER TABLE packages_usageshare
    ADD CONSTRAINT packages_share_billed_once
    EXCLUDE USING gist (
        int8range(customer_id, customer_id, '[]') WITH &&,
        packages_words(code, code, '[]') WITH &&,
        tstzrange(starts_at, ends_at) WITH &&
    );

CREATE TRIGGER packages_share_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_usageshare
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- What may be taken in a term by a rule: (rule, period) -> minor units, NULL without end.
CREATE FUNCTION packages_overage_allows(rule packages_overage, of_period INTEGER) RETURNS BIGINT
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE rule.policy
        WHEN 'ALLOW' THEN NULL
        ELSE greatest(
            coalesce(rule.most_minor, 0),
            CASE WHEN rule.period_number = of_period THEN rule.spent_minor ELSE 0 END
        )
    END
$$;

-- The most that may be taken in a month: (customer, feature or '' for all, month, zone) -> minor
-- units, NULL without end.
CREATE FUNCTION packages_cap_of(
    of_customer BIGINT, of_code TEXT, of_month DATE, of_zone TEXT
) RETURNS BIGINT
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN c.most_minor IS NULL THEN NULL
        WHEN c.made_in = of_month THEN greatest(c.most_minor, c.spent_minor)
        ELSE c.most_minor
    END
    FROM packages_spendingcap AS c
    WHERE c.customer_id = of_customer AND c.code = of_code AND coalesce(c.month, of_month) = of_month
        AND c.made_at < (of_month + INTERVAL '1 month')::TIMESTAMP AT TIME ZONE of_zone
    ORDER BY c.id DESC
    LIMIT 1
$$;

-- Shares lie within their bill and a month, and take no more than the customer allowed: by the last
-- rule of the term, by the caps of the month.
CREATE FUNCTION packages_share_is_within_limits() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    wrong TEXT;
BEGIN
    SELECT f.code INTO wrong
    FROM fresh AS f
    INNER JOIN packages_usagebill AS b ON b.id = f.bill_id
    INNER JOIN packages_subscription AS s ON s.id = b.subscription_id
    WHERE f.customer_id <> b.customer_id
        OR f.starts_at < b.starts_at
        OR f.ends_at > b.ends_at
        OR f.starts_at < f.month::TIMESTAMP AT TIME ZONE s.zone
        OR f.ends_at > (f.month + INTERVAL '1 month')::TIMESTAMP AT TIME ZONE s.zone
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'A share for % lies outside its bill or month', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_share_lies_in_its_bill';
    END IF;

    SELECT f.code INTO wrong
    FROM fresh AS f
    INNER JOIN packages_usagebill AS b ON b.id = f.bill_id
    WHERE f.overage_id IS NOT NULL AND f.overage_id IS DISTINCT FROM (
        SELECT o.id FROM packages_overage AS o
        WHERE o.subscription_id = b.subscription_id AND o.code = f.code AND o.made_at < b.ends_at
        ORDER BY o.id DESC
        LIMIT 1
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'A share for % names a rule that did not hold', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_share_names_its_rule';
    END IF;

    SELECT x.code INTO wrong
    FROM (
        SELECT s.code, b.period_number, max(s.overage_id) AS overage_id, sum(s.amount_minor) AS taken
        FROM packages_usageshare AS s
        INNER JOIN packages_usagebill AS b ON b.id = s.bill_id
        WHERE s.bill_id IN (SELECT f.bill_id FROM fresh AS f)
        GROUP BY s.bill_id, s.code, b.period_number
    ) AS x
    LEFT JOIN packages_overage AS o ON o.id = x.overage_id
    WHERE x.taken > 0 AND x.taken > packages_overage_allows(o, x.period_number)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'More use of % is billed than was allowed in a term', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_share_was_allowed_in_its_term';
    END IF;

    SELECT x.code INTO wrong
    FROM (
        SELECT t.customer_id, t.month, n.zone, c.code
        FROM (SELECT DISTINCT f.customer_id, f.month, f.code, f.bill_id FROM fresh AS f) AS t
        INNER JOIN packages_usagebill AS b ON b.id = t.bill_id
        INNER JOIN packages_subscription AS n ON n.id = b.subscription_id
        CROSS JOIN LATERAL (VALUES (t.code), ('')) AS c (code)
        GROUP BY t.customer_id, t.month, n.zone, c.code
    ) AS x
    CROSS JOIN LATERAL (
        SELECT sum(s.amount_minor) AS taken FROM packages_usageshare AS s
        WHERE s.customer_id = x.customer_id AND s.month = x.month AND x.code IN ('', s.code)
    ) AS y
    WHERE y.taken > packages_cap_of(x.customer_id, x.code, x.month, x.zone)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'More use of % is billed than the cap of a month', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_share_is_below_its_cap';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_share_is_within_limits
AFTER INSERT ON packages_usageshare
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_share_is_within_limits();

-- A bill is the sum of its shares when both are written.
CREATE FUNCTION packages_bill_is_its_shares() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    of_bill CONSTANT BIGINT := (to_jsonb(NEW) ->> TG_ARGV[0])::BIGINT;
BEGIN
    PERFORM FROM packages_usagebill AS b
    WHERE b.id = of_bill
        AND (b.rated_minor, b.amount_minor) <> (
            SELECT coalesce(sum(s.rated_minor), 0), coalesce(sum(s.amount_minor), 0)
            FROM packages_usageshare AS s WHERE s.bill_id = b.id
        );
    IF FOUND THEN
        RAISE EXCEPTION 'Bill % is not the sum of its shares', of_bill
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_bill_is_its_shares';
    END IF;
    RETURN NULL;
END;
$$;

CREATE CONSTRAINT TRIGGER packages_bill_is_its_shares
AFTER INSERT ON packages_usagebill
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION packages_bill_is_its_shares('id');

CREATE CONSTRAINT TRIGGER packages_share_is_of_its_bill
AFTER INSERT ON packages_usageshare
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION packages_bill_is_its_shares('bill_id');

-- A pack is what a price sells beside its term, paid by a charge of its own.
CREATE FUNCTION packages_pack_is_sold_and_paid() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_charge AS c
    INNER JOIN packages_pricecomponent AS p
        ON p.version_id = c.price_version_id AND p.code = NEW.code
    WHERE c.id = NEW.charge_id AND c.kind = 'PACK' AND c.customer_id = NEW.customer_id
        AND c.subscription_id = NEW.subscription_id AND c.period_number = NEW.period_number
        AND c.amount_minor = p.pack_minor AND p.pack_units = NEW.units;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Pack of % is not what was sold and paid', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_pack_is_sold_and_paid';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_pack_is_sold_and_paid
BEFORE INSERT ON packages_extrapack
FOR EACH ROW EXECUTE FUNCTION packages_pack_is_sold_and_paid();

CREATE TRIGGER packages_pack_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_extrapack
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- Charges are read by time once a night; they are written in its order.
CREATE INDEX packages_charge_by_time ON packages_charge USING brin (charged_at);

-- The term after a pause is charged by a notice that told of it, not by one sent before.
CREATE FUNCTION packages_charge_after_a_pause_was_announced() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh AS f
        INNER JOIN packages_pause AS p ON p.subscription_id = f.subscription_id
        INNER JOIN packages_subscriptionperiod AS t
            ON t.subscription_id = f.subscription_id AND t.number = f.period_number
                AND t.starts_at = p.until
        INNER JOIN packages_notice AS n ON n.id = f.notice_id
        WHERE f.kind = 'RENEWAL' AND p.begun_at IS NOT NULL AND n.due_at < p.until
    )
    THEN
        RAISE EXCEPTION 'The end of a pause was not announced'
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_charge_after_a_pause_was_announced';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_charge_after_a_pause_was_announced
AFTER INSERT ON packages_charge
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_charge_after_a_pause_was_announced();
