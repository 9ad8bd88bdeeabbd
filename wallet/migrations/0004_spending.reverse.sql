DROP FUNCTION
    wallet_spend_many,
    wallet_spending_terms,
    wallet_spend_one,
    wallet_spend
CASCADE;
