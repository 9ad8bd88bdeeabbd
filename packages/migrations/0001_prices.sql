-- Words compared by a GiST index as ranges of one word: there is no btree_gist to do it otherwise.
CREATE TYPE packages_words AS RANGE (SUBTYPE = TEXT, COLLATION = "C");

-- One price at a time for a package, currency, term and customer. Half-open: a version may begin at
-- the moment the one before it ends.
ALTER TABLE packages_priceversion
    ADD CONSTRAINT packages_price_one_at_a_time
    EXCLUDE USING gist (
        int8range(package_id, package_id, '[]') WITH &&,
        packages_words(currency, currency, '[]') WITH &&,
        packages_words("interval", "interval", '[]') WITH &&,
        int8range(coalesce(customer_id, 0), coalesce(customer_id, 0), '[]') WITH &&,
        tstzrange(valid_from, valid_to) WITH &&
    ) WHERE (published_at IS NOT NULL);

-- A package goes from draft to published to retired; only a draft changes or goes away.
CREATE FUNCTION packages_package_moves_on() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    decided CONSTANT TEXT[] := '{state,published_at,published_by_id,retired_at,retired_by_id}';
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'DRAFT' THEN
            RAISE EXCEPTION 'Package % must begin as a draft', NEW.code
                USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_package_begins_as_draft';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'DRAFT' THEN
            RAISE EXCEPTION 'Package % has been published and stays', OLD.code
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_package_stays';
        END IF;
        RETURN OLD;
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('DRAFT', 'DRAFT'), ('DRAFT', 'PUBLISHED'), ('PUBLISHED', 'PUBLISHED'),
        ('PUBLISHED', 'RETIRED'), ('RETIRED', 'RETIRED')
    ) THEN
        RAISE EXCEPTION 'Package % cannot go from % to %', OLD.code, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_package_state_follows';
    END IF;
    IF OLD.state <> 'DRAFT' AND (
        to_jsonb(NEW) - decided <> to_jsonb(OLD) - decided
        OR NEW.published_at <> OLD.published_at
        OR NEW.published_by_id IS DISTINCT FROM OLD.published_by_id
    ) THEN
        RAISE EXCEPTION 'Package % has been published and does not change', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_package_fixed_once_published';
    END IF;
    IF OLD.state = 'RETIRED' AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'Package % has been retired and does not change', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_package_retired_once';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_package_moves_on
BEFORE INSERT OR UPDATE OR DELETE ON packages_package
FOR EACH ROW EXECUTE FUNCTION packages_package_moves_on();

-- Of a published price only the end changes, from open to decided. What it sells is published too,
-- and has the term its kind asks for.
CREATE FUNCTION packages_price_is_immutable() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    ending CONSTANT TEXT[] := '{valid_to,closed_at,closed_by_id}';
    sold RECORD;
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.published_at IS NOT NULL THEN
        IF TG_OP = 'DELETE' OR to_jsonb(NEW) - ending <> to_jsonb(OLD) - ending THEN
            RAISE EXCEPTION 'Version % of package % is published and does not change',
                OLD.number, OLD.package_id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_price_immutable_once_published';
        END IF;
        IF OLD.valid_to IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
            RAISE EXCEPTION 'The end of version % of package % is decided', OLD.number, OLD.package_id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packages_price_ends_once';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.published_at IS NOT NULL THEN
        SELECT p.state, p.kind, p.code INTO sold
        FROM packages_package AS p WHERE p.id = NEW.package_id
        FOR SHARE;
        IF sold.state <> 'PUBLISHED' THEN
            RAISE EXCEPTION 'Package % is not on sale', sold.code
                USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_price_sells_a_published_package';
        END IF;
        IF (sold.kind = 'TOP_UP' AND NEW.interval <> '') OR (sold.kind = 'PLAN' AND NEW.interval = '')
            OR (sold.kind = 'TOP_UP') <> EXISTS (
                SELECT FROM packages_topupoffer AS o WHERE o.version_id = NEW.id
            )
            OR (sold.kind <> 'TOP_UP') <> EXISTS (
                SELECT FROM packages_pricecomponent AS c WHERE c.version_id = NEW.id
            )
        THEN
            RAISE EXCEPTION 'A price of % must be that of a %', sold.code, sold.kind
                USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_price_fits_its_package';
        END IF;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_price_is_immutable
BEFORE INSERT OR UPDATE OR DELETE ON packages_priceversion
FOR EACH ROW EXECUTE FUNCTION packages_price_is_immutable();

-- What a published price is made of stays as it is. The version is locked against being published
-- at the same moment.
CREATE FUNCTION packages_part_of_a_draft() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    old_version BIGINT;
    new_version BIGINT;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        old_version := OLD.version_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        new_version := NEW.version_id;
    END IF;
    PERFORM FROM packages_priceversion AS v
    WHERE v.id IN (old_version, new_version)
    ORDER BY v.id
    FOR SHARE;
    IF EXISTS (
        SELECT FROM packages_priceversion AS v
        WHERE v.id IN (old_version, new_version) AND v.published_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'What a published price is made of does not change'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_component_immutable_once_published
BEFORE INSERT OR UPDATE OR DELETE ON packages_pricecomponent
FOR EACH ROW EXECUTE FUNCTION packages_part_of_a_draft();

CREATE TRIGGER packages_offer_immutable_once_published
BEFORE INSERT OR UPDATE OR DELETE ON packages_topupoffer
FOR EACH ROW EXECUTE FUNCTION packages_part_of_a_draft();

-- What a published price and a published coupon are made of goes row by row, where it is a draft's;
-- TRUNCATE asks no row.
CREATE TRIGGER packages_component_is_never_emptied
BEFORE TRUNCATE ON packages_pricecomponent
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER packages_offer_is_never_emptied
BEFORE TRUNCATE ON packages_topupoffer
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

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

-- Calendars end earlier by some clocks than by others: a moment there can be shown to nobody who
-- goes by them, and what begins or ends then is never changed again. 2199 ends before by every clock.
ALTER TABLE packages_priceversion ADD CONSTRAINT packages_price_is_sold_within_the_calendar
CHECK (valid_from < '2200-01-02 00:00+00' AND valid_to < '2200-01-02 00:00+00');

-- Every step is told to every customer, in words; none is past the hundredth.
ALTER TABLE packages_pricecomponent ADD CONSTRAINT packages_component_has_few_tiers
CHECK (NOT jsonb_path_exists(tiers, '$[100]'));

-- That a draft was thrown away stays on record.
CREATE TRIGGER packages_packageevent_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_packageevent
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

CREATE TRIGGER packages_priceversionevent_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_priceversionevent
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- What is sold is called what one sees, on the bill too.
CREATE TRIGGER packages_package_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en, summary, summary_en
ON packages_package
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en', 'summary', 'summary_en');

CREATE TRIGGER packages_component_names_are_plain
BEFORE INSERT OR UPDATE OF name, name_en, unit, unit_en
ON packages_pricecomponent
FOR EACH ROW EXECUTE FUNCTION crm_billing_plain_text('name', 'name_en', 'unit', 'unit_en');
