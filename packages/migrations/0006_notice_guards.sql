-- How long before a renewal it must have been announced (D§6.2); packages.wording.NOTICE_DAYS.
CREATE FUNCTION packages_notice_days() RETURNS INTERVAL
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT INTERVAL '5 days' $$;

-- A notice says what was said; only whether it went out is added, once.
CREATE TRIGGER packages_notice_fixed
BEFORE UPDATE ON packages_notice
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'subscription_id', 'kind', 'period_number', 'step', 'currency',
    'amount_minor', 'due_at', 'locale', 'subject', 'text', 'created_at'
);
CREATE TRIGGER packages_notice_sent_once
BEFORE UPDATE ON packages_notice
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('sent_at', 'dropped_at');
CREATE TRIGGER packages_notice_stays
BEFORE DELETE OR TRUNCATE ON packages_notice
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION packages_notice_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh AS f
        INNER JOIN packages_subscription AS s ON s.id = f.subscription_id
        WHERE s.customer_id <> f.customer_id OR s.currency <> f.currency
    ) THEN
        RAISE EXCEPTION 'A notice is about another customer''s subscription'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_notice_is_its_subscriptions';
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER packages_notice_is_its_subscriptions
AFTER INSERT ON packages_notice
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION packages_notice_is_its_subscriptions();

-- Nothing is charged unannounced: a renewal takes at most what its notice said, so many days after
-- it went out, by the consent that switched renewals on.
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
