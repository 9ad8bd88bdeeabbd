-- What was announced stays as it was announced; it can be taken back, once.
CREATE TRIGGER packages_move_fixed
BEFORE UPDATE ON packages_pricemove
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'from_version_id', 'to_version_id', 'holds_from', 'is_no_worse', 'reason', 'reason_en',
    'announced_at', 'announced_by_id'
);
CREATE TRIGGER packages_move_revoked_once
BEFORE UPDATE ON packages_pricemove
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('revoked_at', 'revoked_by_id');
CREATE TRIGGER packages_move_stays
BEFORE DELETE OR TRUNCATE ON packages_pricemove
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- One price takes the place of another of the same package, term and currency, both published, and
-- a customer's own price that of nobody else.
CREATE FUNCTION packages_move_is_of_one_package() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_priceversion AS was
    INNER JOIN packages_priceversion AS follows ON follows.id = NEW.to_version_id
    WHERE was.id = NEW.from_version_id
        AND (was.package_id, was.currency, was.interval)
            = (follows.package_id, follows.currency, follows.interval)
        AND was.interval <> ''
        AND follows.published_at IS NOT NULL
        AND was.valid_to <= NEW.holds_from
        AND coalesce(follows.customer_id, was.customer_id) IS NOT DISTINCT FROM was.customer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Price % does not take the place of price %',
            NEW.to_version_id, NEW.from_version_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_move_is_of_one_package';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_move_is_of_one_package
BEFORE INSERT ON packages_pricemove
FOR EACH ROW EXECUTE FUNCTION packages_move_is_of_one_package();

CREATE TRIGGER packages_announcement_fixed
BEFORE UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'move_id', 'subscription_id', 'notice_id', 'holds_from', 'made_at'
);
CREATE TRIGGER packages_announcement_agreed_once
BEFORE UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('consent_id', 'agreed_at', 'agreed_by_id');
CREATE TRIGGER packages_announcement_stays
BEFORE DELETE OR TRUNCATE ON packages_priceannouncement
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- It was told by a notice of its own, and its customer agrees to it.
CREATE FUNCTION packages_announcement_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN packages_notice AS n
        ON n.id = NEW.notice_id AND n.subscription_id = s.id AND n.kind = 'PRICE'
    INNER JOIN packages_pricemove AS m
        ON m.id = NEW.move_id AND m.holds_from <= NEW.holds_from
    INNER JOIN packages_priceversion AS v
        ON v.id = m.from_version_id AND v.currency = s.currency
            AND coalesce(v.customer_id, s.customer_id) = s.customer_id
    LEFT JOIN accounts_consent AS c
        ON c.id = NEW.consent_id AND c.customer_id = s.customer_id AND c.purpose = 'CHANGE'
    WHERE s.id = NEW.subscription_id AND (NEW.consent_id IS NULL OR c.id IS NOT NULL);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Announcement % is none of subscription %', NEW.id, NEW.subscription_id
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_announcement_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_announcement_is_its_subscriptions
BEFORE INSERT OR UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION packages_announcement_is_its_subscriptions();

DROP TRIGGER packages_change_fixed ON packages_subscriptionchange;
CREATE TRIGGER packages_change_fixed
BEFORE UPDATE ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'from_version_id', 'from_seats', 'to_version_id', 'to_seats',
    'consent_id', 'announcement_id', 'made_at', 'made_by_id'
);

-- Another price holds by a consent to it, what was announced by the consent to that; without one
-- only where it is nowhere dearer.
CREATE FUNCTION packages_change_was_agreed_to() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.announcement_id IS NULL THEN
        PERFORM FROM accounts_consent AS c WHERE c.id = NEW.consent_id AND c.purpose = 'CHANGE';
    ELSE
        PERFORM FROM packages_priceannouncement AS a
        INNER JOIN packages_pricemove AS m ON m.id = a.move_id
        WHERE a.id = NEW.announcement_id AND a.subscription_id = NEW.subscription_id
            AND m.to_version_id = NEW.to_version_id AND m.revoked_at IS NULL
            AND (m.is_no_worse OR a.consent_id = NEW.consent_id);
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Nobody agreed to change subscription %', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_change_was_agreed_to';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_change_was_agreed_to
BEFORE INSERT ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION packages_change_was_agreed_to();
