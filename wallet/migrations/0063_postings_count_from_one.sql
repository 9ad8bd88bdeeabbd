-- A number below one was no posting's of the account before and never could be: nothing refused it, and the
-- balance did not count it. What a posting says of the balance need not be compared here: with a number its account
-- had before it is refused as a second one, and with a new one the account's row is looked at when it ends there.

-- An entry's postings come in one statement, one behind the other: two or more, none zero, in one
-- book, zero per currency, on accounts of their currency, of no customer but the entry's, and of that
-- one. None joins an entry that has postings already. On customer accounts they are numbered from one and the account row has
-- come past their number; that they continue its balance is seen when it did (wallet_account_shows_its_last_posting).
--
-- LATERAL with OFFSET 0 keeps the plan to the index, however many rows came when it was made.
CREATE OR REPLACE FUNCTION wallet_posting_continues() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
DECLARE
    line RECORD;
    entry BIGINT;
    owner BIGINT;  -- the customer the entry concerns
    there BIGINT;  -- how many postings it has
    lines BIGINT;  -- how many of them came now
    total NUMERIC;
    owned BOOLEAN;
    book TEXT;
    currency TEXT;
    mixed BOOLEAN := FALSE;
    broken TEXT;
BEGIN
    FOR line IN
        SELECT
            n.entry_id, n.currency, n.amount_minor, n.balance_after_minor, n.account_version,
            a.id, a.customer_id, a.book, a.version
        FROM new_postings AS n
        LEFT JOIN LATERAL (
            SELECT o.id, o.customer_id, o.book, o.version
            FROM wallet_ledgeraccount AS o
            WHERE o.id = n.account_id AND o.currency = n.currency
            OFFSET 0
        ) AS a ON TRUE
    LOOP
        IF line.entry_id IS DISTINCT FROM entry THEN
            broken := wallet_entry_broken(there, lines, total, owner, owned);
            EXIT WHEN broken IS NOT NULL;
            entry := line.entry_id;
            SELECT
                e.customer_id,
                (SELECT count(*) FROM wallet_posting AS p WHERE p.entry_id = entry)
            INTO owner, there
            FROM wallet_journalentry AS e WHERE e.id = entry;
            IF NOT FOUND THEN
                broken := 'wallet_posting_belongs_to_an_entry';
                EXIT;
            END IF;
            book := line.book;
            currency := line.currency;
            lines := 0;
            total := 0;
            owned := FALSE;
        END IF;
        broken := CASE
            WHEN line.id IS NULL THEN 'wallet_posting_currency_is_its_accounts'
            WHEN line.amount_minor = 0 THEN 'wallet_posting_nonzero'
            WHEN (line.customer_id IS NULL) <> (line.account_version IS NULL)
                OR (line.customer_id IS NULL) <> (line.balance_after_minor IS NULL)
                THEN 'wallet_posting_counts_iff_customer'
            WHEN line.book <> book THEN 'wallet_entry_balances'
            WHEN line.customer_id IS NOT NULL
                AND line.customer_id IS DISTINCT FROM owner THEN 'wallet_entry_concerns_one_customer'
            WHEN line.account_version < 1 OR line.account_version > line.version
                THEN 'wallet_posting_continues_running_balance'
        END;
        EXIT WHEN broken IS NOT NULL;
        lines := lines + 1;
        total := total + line.amount_minor;
        owned := owned OR line.customer_id IS NOT NULL;
        mixed := mixed OR line.currency <> currency;
    END LOOP;

    broken := coalesce(broken, wallet_entry_broken(there, lines, total, owner, owned));
    IF broken IS NULL AND mixed THEN
        SELECT 'wallet_entry_balances' INTO broken
        FROM new_postings AS n
        GROUP BY n.entry_id, n.currency HAVING sum(n.amount_minor) <> 0
        LIMIT 1;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'The postings of entry % break %', entry, broken
            USING CONSTRAINT = broken, ERRCODE = CASE broken
                WHEN 'wallet_posting_belongs_to_an_entry' THEN 'foreign_key_violation'
                WHEN 'wallet_posting_currency_is_its_accounts' THEN 'foreign_key_violation'
                WHEN 'wallet_posting_joins_only_a_new_entry' THEN 'restrict_violation'
                ELSE 'check_violation'
            END;
    END IF;
    RETURN NULL;
END;
$$;
