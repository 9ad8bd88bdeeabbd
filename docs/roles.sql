-- Rights of the portal's processes and of people who only look, on a production database.
--
--     psql "$OWNER_URL" --file docs/roles.sql        after every `manage.py migrate`
--
-- The owner of the database runs migrations and this file. `crm_app` and `crm_readonly` are groups;
-- give log-ins their rights by membership:
--
--     CREATE ROLE portal LOGIN PASSWORD '…' CONNECTION LIMIT 100 IN ROLE crm_app;
--     CREATE ROLE auditor LOGIN PASSWORD '…' CONNECTION LIMIT 5 IN ROLE crm_readonly;
--
-- Running it again changes nothing. tests/crm_billing/test_roles.py spends money under crm_app.

DO $$
DECLARE
    wanted TEXT;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['crm_app', 'crm_readonly'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END;
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO crm_app, crm_readonly;

-- The app works on everything …
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO crm_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO crm_app;

-- … but money moves through two functions of the owner's (docs/adr/0002-one-write-path.md). What
-- they write, the app cannot, be it by mistake or by somebody who has taken it over.
REVOKE ALL ON FUNCTION wallet_post(JSONB), wallet_spend(JSONB) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wallet_post(JSONB), wallet_spend(JSONB) TO crm_app;
REVOKE INSERT, UPDATE, DELETE ON wallet_journalentry, wallet_posting, wallet_lotuse FROM crm_app;
-- Holding money marks lots and accounts; it neither makes nor removes them, nor what they are worth.
REVOKE INSERT, UPDATE, DELETE ON wallet_lot FROM crm_app;
GRANT UPDATE (held_minor, expires_at) ON wallet_lot TO crm_app;
REVOKE UPDATE, DELETE ON wallet_ledgeraccount FROM crm_app;
GRANT UPDATE (held_minor) ON wallet_ledgeraccount TO crm_app;

-- What is only ever added to: seals, pinned parts of holds, policies, told usage, charges, consents,
-- the tables of the audit trail; a period of a subscription is at most cut short. Hours and marks of usage are
-- written by triggers of the owner's alone.
REVOKE UPDATE, DELETE ON wallet_sealblock, wallet_holdlot, wallet_walletpolicy, packages_dunningpolicy FROM crm_app;
REVOKE UPDATE, DELETE ON packages_usageevent FROM crm_app;
REVOKE UPDATE, DELETE ON packages_charge, packages_subscriptionperiod, accounts_consent FROM crm_app;
GRANT UPDATE (ends_at, cut_at) ON packages_subscriptionperiod TO crm_app;
REVOKE UPDATE, DELETE ON packages_overage, packages_spendingcap, packages_usageshare, packages_extrapack FROM crm_app;
REVOKE UPDATE, DELETE ON packages_usagebill FROM crm_app;
GRANT UPDATE (next_try_at, settled_at, charge_id) ON packages_usagebill TO crm_app;
REVOKE INSERT, UPDATE, DELETE ON packages_usagehour, packages_usagemark FROM crm_app;
DO $$
DECLARE
    trail REGCLASS;
BEGIN
    FOR trail IN
        SELECT c.table_name::REGCLASS
        FROM information_schema.columns AS c
        WHERE c.table_schema = 'public' AND c.column_name = 'pgh_created_at'
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %s FROM crm_app', trail);
    END LOOP;
END;
$$;

-- Migrations are the owner's.
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM crm_app;

-- People who look see the books, not what would let them sign in as somebody.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO crm_readonly;
DO $$
DECLARE
    secret TEXT;
    columns TEXT;
BEGIN
    -- Whole tables of secrets.
    FOR secret IN
        SELECT t.table_name
        FROM information_schema.tables AS t
        WHERE t.table_schema = 'public'
            AND t.table_name IN (
                'account_emailconfirmation', 'django_session', 'mfa_authenticator',
                'usersessions_usersession'
            )
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM crm_readonly', secret);
    END LOOP;
    -- Tables with a secret column: all columns but that one.
    FOR secret, columns IN
        SELECT c.table_name,
            string_agg(quote_ident(c.column_name), ', ')
                FILTER (WHERE c.column_name NOT IN ('password', 'key_sha256', 'token_sha256'))
        FROM information_schema.columns AS c
        WHERE c.table_schema = 'public'
        GROUP BY c.table_name
        HAVING bool_or(c.column_name IN ('password', 'key_sha256', 'token_sha256'))
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM crm_readonly', secret);
        EXECUTE format('GRANT SELECT (%s) ON %I TO crm_readonly', columns, secret);
    END LOOP;
END;
$$;
