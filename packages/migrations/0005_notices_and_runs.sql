-- A notice says what was said; only whether it went out is added, once.
CREATE TRIGGER packages_notice_fixed
BEFORE UPDATE ON packages_notice
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'customer_id', 'subscription_id', 'kind', 'period_number', 'step', 'code', 'currency',
    'amount_minor', 'due_at', 'locale', 'subject', 'text', 'created_at'
);

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

CREATE TRIGGER packages_notice_sent_once
BEFORE UPDATE ON packages_notice
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('sent_at', 'dropped_at', 'bounced_at');

CREATE TRIGGER packages_notice_bounced_fixed
BEFORE UPDATE ON packages_notice
FOR EACH ROW WHEN (OLD.bounced_at IS NOT NULL)
EXECUTE FUNCTION wallet_fixed_columns('sent_to', 'bounced_to', 'bounce_reason');

-- What was charged by a notice stays announced: it can only come back later.
CREATE FUNCTION packages_notice_bounced_after_its_charge() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM packages_charge AS c
        WHERE c.notice_id = NEW.id AND c.kind = 'RENEWAL' AND c.charged_at >= NEW.bounced_at
    )
    THEN
        RAISE EXCEPTION 'Notice % announced a charge before it came back', NEW.id
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_notice_bounced_after_its_charge';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_notice_bounced_after_its_charge
BEFORE UPDATE OF bounced_at ON packages_notice
FOR EACH ROW WHEN (OLD.bounced_at IS NULL AND NEW.bounced_at IS NOT NULL)
EXECUTE FUNCTION packages_notice_bounced_after_its_charge();

-- What a renewal run did stays too. Only the clockwork's runs that found nothing to do go.
CREATE TRIGGER packages_run_is_never_emptied
BEFORE TRUNCATE ON packages_renewalrun
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER packages_run_stays
BEFORE DELETE ON packages_renewalrun
FOR EACH ROW WHEN (
    OLD.started_by_id IS NOT NULL OR OLD.finished_at IS NULL
    OR OLD.ok + OLD.insufficient + OLD.waiting + OLD.failed + OLD.ended + OLD.paused > 0
)
EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER packages_run_fixed
BEFORE UPDATE ON packages_renewalrun
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'at', 'is_rehearsal', 'started_at', 'started_by_id'
);

CREATE TRIGGER packages_run_finished_fixed
BEFORE UPDATE ON packages_renewalrun
FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL)
EXECUTE FUNCTION wallet_fixed_columns(
    'finished_at', 'ok', 'insufficient', 'waiting', 'failed', 'ended', 'paused'
);
