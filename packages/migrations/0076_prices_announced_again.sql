-- It is set aside once, and only when the mail came back: then it is announced again.
DROP TRIGGER packages_announcement_agreed_once ON packages_priceannouncement;
CREATE TRIGGER packages_announcement_agreed_once
BEFORE UPDATE ON packages_priceannouncement
FOR EACH ROW EXECUTE FUNCTION wallet_columns_set_once(
    'consent_id', 'agreed_at', 'agreed_by_id', 'replaced_at'
);

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
