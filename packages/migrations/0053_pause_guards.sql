-- What is paused goes on, is dunned or ends.
DROP TRIGGER packages_subscription_state_follows ON packages_subscription;
CREATE TRIGGER packages_subscription_state_follows
BEFORE UPDATE OF state ON packages_subscription
FOR EACH ROW EXECUTE FUNCTION wallet_state_follows(
    'TRIAL>ACTIVE', 'TRIAL>PAST_DUE', 'TRIAL>ENDED',
    'ACTIVE>PAST_DUE', 'ACTIVE>PAUSED', 'ACTIVE>ENDED',
    'PAST_DUE>ACTIVE', 'PAST_DUE>RESTRICTED', 'PAST_DUE>ENDED',
    'RESTRICTED>ACTIVE', 'RESTRICTED>SUSPENDED', 'RESTRICTED>ENDED',
    'SUSPENDED>ACTIVE', 'SUSPENDED>ENDED',
    'PAUSED>ACTIVE', 'PAUSED>PAST_DUE', 'PAUSED>ENDED'
);

-- It is paused by a pause the customer asked for, when the paid term is over, and looked at again
-- when that pause ends.
CREATE FUNCTION packages_subscription_pauses_as_asked() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM packages_pause AS p
        WHERE p.subscription_id = NEW.id AND p.begun_at >= NEW.paid_until
            AND p.ended_at IS NULL AND p.until > NEW.paid_until
            AND NEW.next_try_at >= p.until
    )
    THEN
        RAISE EXCEPTION 'Nobody asked for a pause of subscription % now', NEW.number
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_subscription_pauses_as_asked';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_subscription_pauses_as_asked
BEFORE UPDATE OF state ON packages_subscription
FOR EACH ROW WHEN (NEW.state = 'PAUSED' AND OLD.state <> 'PAUSED')
EXECUTE FUNCTION packages_subscription_pauses_as_asked();

-- A pause says what was agreed to; only what became of it is added, once.
CREATE TRIGGER packages_pause_fixed
BEFORE UPDATE ON packages_pause
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'until', 'consent_id', 'asked_at', 'asked_by_id'
);
CREATE TRIGGER packages_pause_decided_once
BEFORE UPDATE ON packages_pause
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('begun_at', 'ended_at', 'revoked_at');
CREATE TRIGGER packages_pause_stays
BEFORE DELETE OR TRUNCATE ON packages_pause
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- It follows a paid term by at most twelve months, and its customer agreed to it.
CREATE FUNCTION packages_pause_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN accounts_consent AS c ON c.id = NEW.consent_id AND c.customer_id = s.customer_id
    WHERE s.id = NEW.subscription_id AND s.state = 'ACTIVE' AND s.auto_renew
        AND NEW.until > s.paid_until
        AND (NEW.until AT TIME ZONE s.zone)::date
            <= (s.paid_until AT TIME ZONE s.zone)::date + INTERVAL '12 months';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Subscription % cannot be paused so', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_pause_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_pause_is_its_subscriptions
BEFORE INSERT ON packages_pause
FOR EACH ROW EXECUTE FUNCTION packages_pause_is_its_subscriptions();

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
