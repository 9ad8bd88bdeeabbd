ALTER TABLE wallet_ledgeraccount RESET (fillfactor);
DROP TRIGGER wallet_account_is_of_its_kind ON wallet_ledgeraccount;
DROP FUNCTION wallet_account_is_of_its_kind();
