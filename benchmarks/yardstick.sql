-- The yardstick: the smallest honest posting as one SQL call. One customer account with a cached
-- balance and version, one system account without; a unique key; nothing else. pgbench drives it.
DROP SCHEMA IF EXISTS yardstick CASCADE;
CREATE SCHEMA yardstick;
CREATE TABLE yardstick.account (
    id BIGINT PRIMARY KEY, balance BIGINT NOT NULL DEFAULT 0, version BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE yardstick.entry (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE TABLE yardstick.posting (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id BIGINT NOT NULL REFERENCES yardstick.entry,
    account_id BIGINT NOT NULL REFERENCES yardstick.account,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    balance_after BIGINT,
    version BIGINT,
    UNIQUE (account_id, version)
);
CREATE INDEX ON yardstick.posting (entry_id);
INSERT INTO yardstick.account (id) SELECT generate_series(0, 1000);
CREATE FUNCTION yardstick.post(reference TEXT, account BIGINT, amount BIGINT) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE
    new_entry BIGINT;
    row RECORD;
BEGIN
    INSERT INTO yardstick.entry (reference) VALUES (post.reference)
    ON CONFLICT DO NOTHING RETURNING id INTO new_entry;
    UPDATE yardstick.account AS a
    SET balance = a.balance + post.amount, version = a.version + 1
    WHERE a.id = post.account RETURNING a.balance, a.version INTO row;
    INSERT INTO yardstick.posting (entry_id, account_id, amount, balance_after, version)
    VALUES
        (new_entry, post.account, post.amount, row.balance, row.version),
        (new_entry, 0, -post.amount, NULL, NULL);
    RETURN new_entry;
END;
$$;
