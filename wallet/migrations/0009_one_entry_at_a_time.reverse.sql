DROP FUNCTION wallet_spend(JSONB);
DROP FUNCTION wallet_spend_one(JSONB);
DROP FUNCTION wallet_spending_terms(JSONB);
DROP FUNCTION wallet_post(JSONB);
DROP FUNCTION wallet_post_one(JSONB);
DROP FUNCTION wallet_lots_of(BIGINT, BIGINT, TIMESTAMPTZ);
ALTER FUNCTION wallet_post_many(JSONB) SECURITY DEFINER;
ALTER FUNCTION wallet_post_many(JSONB) RENAME TO wallet_post;
ALTER FUNCTION wallet_spend_many(JSONB) SECURITY DEFINER;
ALTER FUNCTION wallet_spend_many(JSONB) RENAME TO wallet_spend;
-- The trigger function of 0002 said the same at greater length; it may stay.
