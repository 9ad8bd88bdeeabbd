-- That a draft was thrown away stays on record.
CREATE TRIGGER packages_packageevent_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_packageevent
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
CREATE TRIGGER packages_priceversionevent_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_priceversionevent
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();
