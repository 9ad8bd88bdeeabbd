DROP FUNCTION
    wallet_lots_taken,
    wallet_post_many,
    wallet_post_one,
    wallet_post,
    wallet_answered,
    wallet_write
CASCADE;
DROP TYPE wallet_new_entry, wallet_new_line, wallet_new_use;
