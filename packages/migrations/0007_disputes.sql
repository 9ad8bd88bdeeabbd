-- What a customer said stays said.
CREATE TRIGGER packages_dispute_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_dispute
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- One dispute of a charge is looked into at a time. Two at once would have one number.
CREATE FUNCTION packages_dispute_one_at_a_time() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM packages_charge AS c
    INNER JOIN wallet_case AS k ON k.id = NEW.case_id
    WHERE c.id = NEW.charge_id AND k.customer_id = c.customer_id AND k.kind = 'CHARGE_DISPUTED';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Case % is not about charge %', NEW.case_id, NEW.charge_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_dispute_has_its_case';
    END IF;
    IF EXISTS (
        SELECT FROM packages_dispute AS d
        INNER JOIN wallet_case AS k ON k.id = d.case_id
        WHERE d.charge_id = NEW.charge_id AND k.state = 'OPEN'
    ) THEN
        RAISE EXCEPTION 'Charge % is being looked into', NEW.charge_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'packages_dispute_one_at_a_time';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER packages_dispute_one_at_a_time
BEFORE INSERT ON packages_dispute
FOR EACH ROW EXECUTE FUNCTION packages_dispute_one_at_a_time();

-- What was scanned stays on record.
CREATE TRIGGER packages_scan_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_chargescan
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
