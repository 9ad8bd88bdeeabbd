DROP FUNCTION wallet_spend(JSONB);
DROP FUNCTION wallet_post(JSONB);
DROP TYPE wallet_new_use;
DROP TYPE wallet_new_line;
DROP TYPE wallet_new_entry;
