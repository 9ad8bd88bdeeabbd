-- Drafts may lack what they are to be sold with; what is published may not: a plan has one basic
-- price, and all but top-ups have a term, for without one nobody could buy them.
CREATE FUNCTION packages_price_lacks_nothing() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    sold RECORD;
    basics BIGINT;
BEGIN
    SELECT p.kind, p.code INTO sold FROM packages_package AS p WHERE p.id = NEW.package_id;
    SELECT count(*) INTO basics
    FROM packages_pricecomponent AS c WHERE c.version_id = NEW.id AND c.kind = 'RECURRING';
    IF (sold.kind = 'PLAN' AND basics <> 1) OR (sold.kind <> 'TOP_UP' AND NEW.interval = '') THEN
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
