-- That a notice came back is added once, too; then it is fixed from whom and why.
DROP TRIGGER packages_notice_sent_once ON packages_notice;
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

-- Nothing is charged unannounced: a renewal takes at most what its notice said, so many days after
-- it went out and if it has not come back, by the consent that switched renewals on.
CREATE OR REPLACE FUNCTION packages_charge_was_announced() RETURNS TRIGGER
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
