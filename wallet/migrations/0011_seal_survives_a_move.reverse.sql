DROP VIEW wallet_unsealed;
DROP VIEW wallet_seal_edge;
DROP INDEX wallet_seal_by_cluster;
ALTER TABLE wallet_sealblock DROP COLUMN cluster;
DROP INDEX wallet_entry_by_xid;
ALTER TABLE wallet_journalentry DROP COLUMN cluster;
CREATE INDEX wallet_entry_by_xid ON wallet_journalentry (xid, id);
