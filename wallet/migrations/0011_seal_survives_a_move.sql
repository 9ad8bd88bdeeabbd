-- Transaction ids begin anew in another server, so entries carry which one numbered them: the
-- system identifier, made by initdb and kept by standbys and physical copies. A dump carries it as
-- data; what is written after a restore gets the new server's.
ALTER TABLE wallet_journalentry
    ADD COLUMN cluster BIGINT NOT NULL DEFAULT (pg_control_system()).system_identifier;
DROP INDEX wallet_entry_by_xid;
CREATE INDEX wallet_entry_by_xid ON wallet_journalentry (cluster, xid, id);

-- The blocks there are were made by this server; adding a column is no UPDATE to the guards.
ALTER TABLE wallet_sealblock
    ADD COLUMN cluster BIGINT NOT NULL DEFAULT (pg_control_system()).system_identifier;
ALTER TABLE wallet_sealblock ALTER COLUMN cluster DROP DEFAULT;
CREATE INDEX wallet_seal_by_cluster ON wallet_sealblock (cluster, id);

-- Where the seal has come to, per server that ever wrote entries. The servers are found by leaps
-- through the index: there are few of them and millions of entries.
CREATE VIEW wallet_seal_edge AS
WITH RECURSIVE written AS (
    (SELECT cluster FROM wallet_journalentry ORDER BY cluster LIMIT 1)
    UNION ALL
    SELECT (
        SELECT e.cluster FROM wallet_journalentry AS e
        WHERE e.cluster > w.cluster ORDER BY e.cluster LIMIT 1
    )
    FROM written AS w
    WHERE w.cluster IS NOT NULL
)
SELECT
    w.cluster,
    w.cluster = (pg_control_system()).system_identifier AS is_here,
    coalesce(b.last_xid, 0)::TEXT::XID8 AS after_xid,
    coalesce(b.last_entry_id, 0) AS after_id
FROM written AS w
LEFT JOIN LATERAL (
    SELECT s.last_xid, s.last_entry_id FROM wallet_sealblock AS s
    WHERE s.cluster = w.cluster ORDER BY s.id DESC LIMIT 1
) AS b ON TRUE
WHERE w.cluster IS NOT NULL;

-- ORDER BY and OFFSET 0 keep the planner to the index: what is unsealed is few of very many.
CREATE VIEW wallet_unsealed AS
SELECT e.id, e.created_at
FROM wallet_seal_edge AS edge
CROSS JOIN LATERAL (
    SELECT j.id, j.created_at FROM wallet_journalentry AS j
    WHERE j.cluster = edge.cluster AND (j.xid, j.id) > (edge.after_xid, edge.after_id)
    ORDER BY j.xid, j.id OFFSET 0
) AS e;
