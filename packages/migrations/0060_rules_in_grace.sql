-- A rule may be made in a term that is used and not paid yet: the one after the last.
CREATE OR REPLACE FUNCTION packages_overage_is_its_subscriptions() RETURNS TRIGGER
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
