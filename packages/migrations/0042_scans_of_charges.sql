-- What was scanned stays on record.
CREATE TRIGGER packages_scan_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON packages_chargescan
FOR EACH STATEMENT EXECUTE FUNCTION wallet_append_only();

-- Charges are read by time once a night; they are written in its order.
CREATE INDEX packages_charge_by_time ON packages_charge USING brin (charged_at);
