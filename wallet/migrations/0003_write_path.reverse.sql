DROP FUNCTION wallet_spend(JSONB);
DROP FUNCTION wallet_post(JSONB);
DROP FUNCTION wallet_lots_taken(wallet_new_entry[], wallet_new_line[]);
DROP TYPE wallet_new_use;
DROP TYPE wallet_new_line;
DROP TYPE wallet_new_entry;
