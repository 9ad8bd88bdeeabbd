DROP FUNCTION
    wallet_entry_is_whole,
    wallet_posting_continues,
    wallet_account_shows_its_last_posting,
    wallet_append_only,
    wallet_fixed_columns,
    wallet_account_is_of_its_kind,
    wallet_cluster,
    wallet_entry_broken
CASCADE;
