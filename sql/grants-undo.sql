-- SPDX-License-Identifier: MIT
-- Removes all that grants.sql made in this database, and drops the role kheops_webhooks unless another
-- database of the server still needs it.
--
--     sudo -u postgres psql -v ON_ERROR_STOP=1 -d kheops -f /usr/share/kheops-webhooks/sql/grants-undo.sql
--
-- From source: /usr/local/share/…. The user postgres cannot read a file in your home.
--
-- Run it before an upgrade of Kheops, and grants.sql again after it: see there. The password of the
-- dropped role, and a connection limit that you set, are lost.
-- Who runs it: the role that ran grants.sql, or a superuser. PostgreSQL 16 and later refuses another
--   owner of the tables; earlier versions then keep what a superuser granted on database and schema,
--   and so the role. All or nothing; it can be run again, and where grants.sql never ran.
-- What it locks: of Kheops' tables only what readers lock (ACCESS SHARE, and that from PostgreSQL 18
--   on). It waits for statements of the worker that are running. Sessions of the role stay connected,
--   but can read nothing any more.

BEGIN;
-- Only PostgreSQL's own operators, functions and types are used (README.md, "Names").
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    DROP VIEW IF EXISTS kheops_webhooks.webhooks;
    -- Fails if the schema contains anything else.
    DROP SCHEMA IF EXISTS kheops_webhooks;
    RAISE NOTICE 'schema kheops_webhooks: not there any more';

    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kheops_webhooks') THEN
        RAISE NOTICE 'role kheops_webhooks: not there';
        RETURN;
    END IF;

    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM kheops_webhooks', current_database());
    REVOKE USAGE ON SCHEMA public FROM kheops_webhooks;
    -- Column by column, as granted: a REVOKE on the whole table would leave an entry in its ACL.
    REVOKE SELECT (pk, sub, inbox_fk) ON public.users FROM kheops_webhooks;
    REVOKE SELECT (pk, id) ON public.albums FROM kheops_webhooks;
    REVOKE SELECT (pk, album_fk, user_fk, admin) ON public.album_user FROM kheops_webhooks;
    REVOKE SELECT (pk, id, webhook_fk) ON public.webhook_triggers FROM kheops_webhooks;
    REVOKE SELECT (webhook_trigger_fk, status) ON public.webhook_attempts FROM kheops_webhooks;
    RAISE NOTICE 'rights of kheops_webhooks: revoked';

    EXECUTE format('ALTER ROLE kheops_webhooks IN DATABASE %I RESET ALL', current_database());
    RAISE NOTICE 'settings of kheops_webhooks in database %: reset', current_database();

    BEGIN
        DROP ROLE kheops_webhooks;
        RAISE NOTICE 'role kheops_webhooks: dropped';
    EXCEPTION WHEN dependent_objects_still_exist THEN
        RAISE NOTICE 'role kheops_webhooks: kept, since it still has rights elsewhere';
    END;
END
$$;

COMMIT;
