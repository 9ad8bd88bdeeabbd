-- A pack is what a price sells beside its term, paid by a charge of its own.
CREATE FUNCTION packages_pack_is_sold_and_paid() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_charge AS c
    INNER JOIN packages_pricecomponent AS p
        ON p.version_id = c.price_version_id AND p.code = NEW.code
    WHERE c.id = NEW.charge_id AND c.kind = 'PACK' AND c.customer_id = NEW.customer_id
        AND c.subscription_id = NEW.subscription_id AND c.period_number = NEW.period_number
        AND c.amount_minor = p.pack_minor AND p.pack_units = NEW.units;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Pack of % is not what was sold and paid', NEW.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_pack_is_sold_and_paid';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_pack_is_sold_and_paid
BEFORE INSERT ON packages_extrapack
FOR EACH ROW EXECUTE FUNCTION packages_pack_is_sold_and_paid();
CREATE TRIGGER packages_pack_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_extrapack
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
