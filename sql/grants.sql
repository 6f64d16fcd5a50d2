-- SPDX-License-Identifier: MIT
-- Makes a database role that can read what the list is made of, and nothing else: kheops_webhooks.
--
--     sudo -u postgres psql -v ON_ERROR_STOP=1 -d kheops -f /usr/share/kheops-webhooks/sql/grants.sql
--
-- From source: /usr/local/share/…. The user postgres cannot read a file in your home.
--
-- Who runs it: a superuser, or the owner of the Kheops tables if that role has CREATEROLE and may
--   create schemas in the database. All or nothing; it can be run again, by the same role or a
--   superuser: from PostgreSQL 16 on, no other role may alter the new one. If you own neither database
--   nor schema public, PostgreSQL may report "no privileges were granted" for these two: that does no
--   harm as long as PUBLIC has CONNECT and USAGE there, as it does by default.
-- Before an upgrade of Kheops run grants-undo.sql: PostgreSQL refuses to alter a table's columns while a
--   view reads them, so that a migration which does so would fail and Kheops would not start. The worker
--   may go on running; it answers 503 until this file has been run again. Run it again after a
--   restore too (README.md, "Dumps and restores").
-- What it does: makes the role (LOGIN, without a password, at most 20 connections), the schema
--   kheops_webhooks with a view "webhooks" that hides the secrets, and grants SELECT on the columns
--   that list_webhooks.sql reads. The role cannot read webhooks.secret nor users.email, nor change
--   any data of Kheops. Its search_path puts the view before the table, so that one statement serves
--   every role, and temporary tables last. It rejects a schema of that name that another role owns, and
--   a role of that name that may do more or has members.
-- What the role can read all the same: every row of these columns, of all albums and at once. That is
--   who uses Kheops (users.sub), who is a member and who an administrator of which album, every
--   webhook's name and URL, and which deliveries failed. A URL often contains a token for the
--   service that it calls. Protect the role's password as Kheops' own.
-- Why 20 connections: PostgreSQL accepts 100 by default, and Kheops needs its own; without a limit,
--   whoever has the role's password could take all. A worker opens KHEOPS_WEBHOOKS_THREADS at most, 8 on
--   four processors; if it gets fewer, its requests wait for one another. For more workers:
--       ALTER ROLE kheops_webhooks CONNECTION LIMIT 40;
--   The role itself cannot; this file, run again, leaves the limit as it is.
-- What it locks: of Kheops' tables only what readers lock (ACCESS SHARE), so that neither reader nor
--   writer waits; it waits for a transaction that is altering webhooks, from PostgreSQL 18 on any of
--   the six tables. Run again, it also waits for statements of the worker that are running, and the
--   next ones wait for it.
-- How the worker logs in: either by a password,
--       \password kheops_webhooks
--   or, on the same host, by peer authentication: run the worker as a system user kheops_webhooks, or
--   map its user in pg_ident.conf. From another machine, it needs a password, an address of the server
--   in listen_addresses, and a line in pg_hba.conf that admits the worker's address, such as
--       hostssl kheops kheops_webhooks 192.0.2.7/32 scram-sha-256
--   Let pg_hba.conf admit the role to this database only; by default every role may connect to every
--   database of the server.
-- What it does not change: the rights that PUBLIC, and so this role, has by default. To revoke them:
--       REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC;  -- temporary tables fill disks
--       REVOKE CREATE ON SCHEMA public FROM PUBLIC;    -- PostgreSQL 12 to 14; default from 15 on
--       REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea)
--           FROM PUBLIC;                               -- large objects, of which Kheops has none
--   If Kheops' own role is not the owner of the database, or of the schema, grant the first two to
--   it by name first.
-- What cannot be prevented: whoever has the role's password can set another one; change its settings,
--   the search_path too, for its later sessions; before PostgreSQL 15, make other roles members of
--   it; and use processor, memory, disk for sorting, advisory locks and notifications as every role
--   can. None of this reads or changes more data. With peer authentication there is no password to
--   set, and this in the worker's connection string overrides the settings of the role:
--       options='-c search_path=kheops_webhooks,public,pg_temp'
-- The settings are defaults, which a session may change; the data is protected because nothing else
-- is granted.

BEGIN;
-- Only PostgreSQL's own operators, functions and types are used (README.md, "Names").
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    kheops name;
    connections integer;
    wanted constant text[] := ARRAY[
        'search_path = kheops_webhooks, public, pg_temp',
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

    -- The owner of the schema can make tables in it, which would be found before Kheops' own.
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'kheops_webhooks'
                                          AND pg_get_userbyid(nspowner) <> kheops) THEN
        RAISE EXCEPTION 'schema kheops_webhooks does not belong to %, the owner of public.webhooks: check whose it is, and drop it; nothing was done',
            kheops;
    END IF;

    SELECT rolconnlimit INTO connections FROM pg_roles WHERE rolname = 'kheops_webhooks';
    IF FOUND THEN
        IF EXISTS (SELECT FROM pg_roles
                   WHERE rolname = 'kheops_webhooks'
                     AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
                   UNION ALL
                   SELECT FROM pg_auth_members WHERE member = 'kheops_webhooks'::regrole) THEN
            RAISE EXCEPTION 'role kheops_webhooks is there already and may do more than this list: take its attributes and memberships away, or drop it; nothing was done';
        END IF;
        IF EXISTS (SELECT FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
                   WHERE m.roleid = 'kheops_webhooks'::regrole
                     AND NOT r.rolsuper AND r.rolname NOT IN (kheops, current_user)) THEN
            RAISE EXCEPTION 'role kheops_webhooks is there already and has members, who could read what it may: revoke it from them, or drop it; nothing was done';
        END IF;
        RAISE NOTICE 'role kheops_webhooks: there already, its attributes and password are as they were, %',
            CASE connections WHEN -1 THEN 'any number of connections is allowed'
                             ELSE format('%s connections at most', connections) END;
    ELSE
        CREATE ROLE kheops_webhooks LOGIN NOINHERIT CONNECTION LIMIT 20;
        RAISE NOTICE 'role kheops_webhooks: created, without a password, 20 connections at most';
    END IF;

    -- Made anew each time, as the table may have changed. It belongs to the owner of the table, not
    -- to a superuser who runs this.
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
