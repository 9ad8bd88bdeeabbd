-- A change says what was agreed to; only what became of it is added.
CREATE TRIGGER packages_change_fixed
BEFORE UPDATE ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'from_version_id', 'from_seats', 'to_version_id', 'to_seats',
    'consent_id', 'announcement_id', 'made_at', 'made_by_id'
);

CREATE TRIGGER packages_change_decided_once
BEFORE UPDATE ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('applied_at', 'revoked_at');

CREATE TRIGGER packages_change_stays
BEFORE DELETE OR TRUNCATE ON packages_subscriptionchange
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE FUNCTION packages_change_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN accounts_consent AS c ON c.id = NEW.consent_id AND c.customer_id = s.customer_id
    LEFT JOIN packages_priceversion AS v ON v.id = NEW.to_version_id
    WHERE s.id = NEW.subscription_id AND coalesce(v.currency, s.currency) = s.currency
        AND coalesce(v.customer_id, s.customer_id) = s.customer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Change of subscription % is none of its own', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_change_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_change_is_its_subscriptions
BEFORE INSERT ON packages_subscriptionchange
FOR EACH ROW EXECUTE FUNCTION packages_change_is_its_subscriptions();

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

CREATE TRIGGER packages_package_is_had_once
BEFORE INSERT ON packages_subscriptionchange
FOR EACH ROW WHEN (
    NEW.to_version_id IS NOT NULL AND NEW.applied_at IS NULL AND NEW.revoked_at IS NULL
)
EXECUTE FUNCTION packages_package_is_had_once();

-- A waiting change says what was agreed to; only what became of it is added, once.
CREATE TRIGGER packages_waiting_fixed
BEFORE UPDATE ON packages_waitingchange
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'subscription_id', 'from_version_id', 'from_seats', 'to_version_id', 'to_seats',
    'due_minor', 'consent_id', 'topup_id', 'agreed_at', 'agreed_by_id', 'expires_at'
);

CREATE TRIGGER packages_waiting_decided_once
BEFORE UPDATE ON packages_waitingchange
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once('change_id', 'closed_at');

CREATE TRIGGER packages_waiting_stays
BEFORE DELETE OR TRUNCATE ON packages_waitingchange
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- Its consent, its money and its price are its own customer's; what came of it is its change, in
-- time, for no more than was agreed to.
CREATE FUNCTION packages_waiting_is_its_subscriptions() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_subscription AS s
    INNER JOIN accounts_consent AS c ON c.id = NEW.consent_id AND c.customer_id = s.customer_id
    INNER JOIN wallet_topup AS t ON t.id = NEW.topup_id AND t.customer_id = s.customer_id
    INNER JOIN packages_priceversion AS v ON v.id = NEW.to_version_id
        AND v.currency = s.currency AND coalesce(v.customer_id, s.customer_id) = s.customer_id
    WHERE s.id = NEW.subscription_id;
    IF NOT FOUND OR (NEW.change_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM packages_subscriptionchange AS m
        WHERE m.id = NEW.change_id AND m.subscription_id = NEW.subscription_id
            AND m.consent_id = NEW.consent_id AND m.made_at < NEW.expires_at
            AND NEW.due_minor >= (
                SELECT coalesce(sum(x.amount_minor), 0) FROM packages_charge AS x
                WHERE x.subscription_id = NEW.subscription_id AND x.consent_id = NEW.consent_id
            )
    ))
    THEN
        RAISE EXCEPTION 'Waiting change of subscription % is none of its own', NEW.subscription_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_waiting_is_its_subscriptions';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_waiting_is_its_subscriptions
BEFORE INSERT OR UPDATE OF change_id ON packages_waitingchange
FOR EACH ROW EXECUTE FUNCTION packages_waiting_is_its_subscriptions();

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

ALTER TABLE packages_pricemove ADD CONSTRAINT packages_move_holds_within_the_calendar
CHECK (holds_from < '2200-01-02 00:00+00');

CREATE TRIGGER packages_announcement_fixed
BEFORE UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION wallet_fixed_columns(
    'id', 'move_id', 'subscription_id', 'notice_id', 'holds_from', 'made_at'
);

CREATE TRIGGER packages_announcement_agreed_once
BEFORE UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once(
    'consent_id', 'agreed_at', 'agreed_by_id', 'replaced_at'
);

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

CREATE FUNCTION packages_announcement_replaced_if_it_came_back() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_notice AS n
    WHERE n.id = NEW.notice_id AND n.bounced_at <= NEW.replaced_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The mail of announcement % has not come back', NEW.id
            USING ERRCODE = 'check_violation',
                CONSTRAINT = 'packages_announcement_replaced_if_it_came_back';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_announcement_replaced_if_it_came_back
BEFORE INSERT OR UPDATE ON packages_priceannouncement
FOR EACH ROW WHEN (NEW.replaced_at IS NOT NULL)
EXECUTE FUNCTION packages_announcement_replaced_if_it_came_back();
