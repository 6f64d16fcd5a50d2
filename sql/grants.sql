-- SPDX-License-Identifier: MIT
-- A database role that can do nothing but this list: kheops_webhooks.
--
--     psql -v ON_ERROR_STOP=1 -d KHEOPS_DATABASE -f grants.sql
--
-- Who runs it: a superuser, or the owner of the Kheops tables if that role has CREATEROLE and may
--   create schemas in the database. All or nothing; it can be run again. To one who owns neither
--   database nor schema public, PostgreSQL may say "no privileges were granted" for these two: that
--   is no harm as long as PUBLIC has CONNECT and USAGE there, as it does by default.
-- Before an upgrade of Kheops run grants-undo.sql: a table's columns cannot be altered while a view
--   reads them, so that a migration which does so would fail and Kheops would not start. The worker
--   may go on running; it answers 503 until this file has been run again.
-- What it does: makes the role (LOGIN, without a password), the schema kheops_webhooks with a view
--   "webhooks" that hides the secrets, and grants SELECT on the columns that list_webhooks.sql
--   reads. The role cannot read webhooks.secret nor users.email, nor change anything. Its
--   search_path puts the view before the table, so that the statement is the same for every role.
-- What it locks: nothing that a reader or writer waits for. It itself waits for a transaction that
--   is just altering webhooks.
-- How the worker gets in: either a password,
--       \password kheops_webhooks
--   or, on the same host, peer authentication: run the worker as a system user kheops_webhooks, or
--   map its user in pg_ident.conf. Let pg_hba.conf admit the role to this database only; by default
--   every role may connect to every database of the server.
-- What it leaves alone: the rights that PUBLIC, and so this role too, has by default. To close them:
--       REVOKE TEMPORARY ON DATABASE … FROM PUBLIC;   -- temporary tables fill disks
--       REVOKE CREATE ON SCHEMA public FROM PUBLIC;   -- PostgreSQL 13 and 14; 15 begins that way
--   If Kheops' own role is not the owner of the database, or of the schema, grant these two to it
--   by name first.
-- The settings are defaults, which a session may change; what protects the data is that nothing
-- else is granted.

BEGIN;

DO $$
DECLARE
    kheops name;
    wanted constant text[] := ARRAY[
        'search_path = kheops_webhooks, public',
        'statement_timeout = ''10s''',
        'jit = off',
        'default_transaction_read_only = on'];
    setting text;
BEGIN
    IF to_regclass('public.webhooks') IS NULL THEN
        RAISE EXCEPTION 'database % has no table public.webhooks: this is not a Kheops database',
            current_database();
    END IF;
    SELECT pg_get_userbyid(c.relowner) INTO kheops
    FROM pg_class AS c WHERE c.oid = 'public.webhooks'::regclass;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kheops_webhooks') THEN
        RAISE NOTICE 'role kheops_webhooks: there already, its attributes and password are as they were';
    ELSE
        CREATE ROLE kheops_webhooks LOGIN NOINHERIT;
        RAISE NOTICE 'role kheops_webhooks: created, without a password';
    END IF;

    -- Made anew each time, for the table may have changed. It belongs to the owner of the table, not
    -- to a superuser who may be running this.
    DROP VIEW IF EXISTS kheops_webhooks.webhooks;
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS kheops_webhooks AUTHORIZATION %I', kheops);
    CREATE VIEW kheops_webhooks.webhooks AS
        SELECT pk, id, name, url, enabled, creation_time, new_series, new_user, remove_series,
               delete_album, album_fk,
               CASE WHEN secret IS NOT NULL THEN 'hidden' END AS secret
        FROM public.webhooks;
    EXECUTE format('ALTER VIEW kheops_webhooks.webhooks OWNER TO %I', kheops);
    RAISE NOTICE 'view kheops_webhooks.webhooks: created for %', kheops;

    EXECUTE format('GRANT CONNECT ON DATABASE %I TO kheops_webhooks', current_database());
    GRANT USAGE ON SCHEMA public, kheops_webhooks TO kheops_webhooks;
    GRANT SELECT ON kheops_webhooks.webhooks TO kheops_webhooks;
    GRANT SELECT (pk, sub, inbox_fk) ON public.users TO kheops_webhooks;
    GRANT SELECT (pk, id) ON public.albums TO kheops_webhooks;
    GRANT SELECT (pk, album_fk, user_fk, admin) ON public.album_user TO kheops_webhooks;
    GRANT SELECT (pk, id, webhook_fk) ON public.webhook_triggers TO kheops_webhooks;
    GRANT SELECT (webhook_trigger_fk, status) ON public.webhook_attempts TO kheops_webhooks;
    RAISE NOTICE 'SELECT on what the statement reads: granted';

    FOREACH setting IN ARRAY wanted LOOP
        EXECUTE format('ALTER ROLE kheops_webhooks IN DATABASE %I SET ', current_database()) || setting;
        RAISE NOTICE 'in database %: %', current_database(), setting;
    END LOOP;
END
$$;

COMMIT;
