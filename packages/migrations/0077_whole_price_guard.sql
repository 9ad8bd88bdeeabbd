-- Drafts may lack what they are to be sold with; what is published may not: a plan has one basic
-- price, and what has no term is made of one-off prices alone.
CREATE FUNCTION packages_price_lacks_nothing() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    sold RECORD;
    basics BIGINT;
    lasting BIGINT;
BEGIN
    SELECT p.kind, p.code INTO sold FROM packages_package AS p WHERE p.id = NEW.package_id;
    SELECT
        count(*) FILTER (WHERE c.kind = 'RECURRING'),
        count(*) FILTER (WHERE c.kind <> 'ONE_OFF')
    INTO basics, lasting
    FROM packages_pricecomponent AS c WHERE c.version_id = NEW.id;
    IF (sold.kind = 'PLAN' AND basics <> 1) OR (NEW.interval = '' AND lasting > 0) THEN
        RAISE EXCEPTION 'Version % of % is not complete', NEW.number, sold.code
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_price_lacks_nothing
BEFORE INSERT OR UPDATE ON packages_priceversion
FOR EACH ROW WHEN (NEW.published_at IS NOT NULL AND NEW.valid_to IS NULL)
EXECUTE FUNCTION packages_price_lacks_nothing();
