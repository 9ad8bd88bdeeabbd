-- Nothing is charged unannounced: a renewal takes at most what its notice said, so many days after
-- it went out, by the consent that switched renewals on.
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

DROP TRIGGER packages_notice_bounced_after_its_charge ON packages_notice;
DROP FUNCTION packages_notice_bounced_after_its_charge();
DROP TRIGGER packages_notice_bounced_fixed ON packages_notice;
DROP TRIGGER packages_notice_sent_once ON packages_notice;
CREATE TRIGGER packages_notice_sent_once
BEFORE UPDATE ON packages_notice
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('sent_at', 'dropped_at');
