-- SPDX-License-Identifier: MIT
-- Removes all that accelerate.sql made: its triggers, its schema, its index.
--
--     sudo -u postgres psql -v ON_ERROR_STOP=1 -d kheops -f /usr/share/kheops-webhooks/sql/accelerate-undo.sql
--
-- From source: /usr/local/share/…. The user postgres cannot read a file in your home.
--
-- Run it before an upgrade of Kheops, and accelerate.sql again after it. Workers may go on running:
-- they count for themselves again, and no request fails.
-- Who runs it: the roles that may run accelerate.sql. Not inside a transaction. It can be run again, and
--   in a database where accelerate.sql never ran.
-- What it locks: webhook_triggers, ACCESS EXCLUSIVE, while it drops the triggers, which is short:
--   readers and writers wait for that, and at most 0.1 s for each attempt to get the lock. While a
--   longer transaction holds the table, this file tries again each second, for up to ten minutes.
--   Dropping the index blocks neither readers nor writers; it waits for transactions that use the table.
-- Where accelerate.sql ran in spite of a publication of all tables: drop the tables on the subscribers
--   after this, when they have replayed it.

\set ON_ERROR_STOP on
\set QUIET on
-- Only PostgreSQL's own operators, functions and types are used (README.md, "Names").
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;  -- psql still shows INFO
SET default_transaction_isolation = 'read committed';

-- This file and accelerate.sql run one at a time: otherwise each would undo half of the other.
DO $$
BEGIN
    IF NOT pg_try_advisory_lock('pg_namespace'::regclass::oid::integer, hashtext('kheops_webhooks_accelerate')) THEN
        RAISE EXCEPTION 'accelerate.sql or accelerate-undo.sql is running in another session: wait for its end; nothing was done';
    END IF;
END
$$;

DO $$
DECLARE
    tries integer := 0;
    made name;
BEGIN
    IF to_regnamespace('kheops_webhooks_accelerate') IS NULL THEN
        RAISE INFO 'schema kheops_webhooks_accelerate: not there';
        RETURN;
    END IF;
    -- Objects of earlier versions of accelerate.sql are dropped too.
    PERFORM set_config('lock_timeout', '100ms', true);
    LOOP
        BEGIN
            IF to_regclass('public.webhook_triggers') IS NOT NULL THEN
                LOCK TABLE public.webhook_triggers IN ACCESS EXCLUSIVE MODE;
                FOR made IN SELECT tgname FROM pg_trigger
                            WHERE tgrelid = 'public.webhook_triggers'::regclass
                              AND starts_with(tgname::text, 'kheops_webhooks_count_') LOOP
                    EXECUTE format('DROP TRIGGER %I ON public.webhook_triggers', made);
                END LOOP;
            END IF;
            DROP TABLE IF EXISTS kheops_webhooks_accelerate.ready, kheops_webhooks_accelerate.doubts,
                kheops_webhooks_accelerate.counts, kheops_webhooks_accelerate.changes,
                kheops_webhooks_accelerate.trigger_counts;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            tries := tries + 1;
            IF tries = 1 THEN
                RAISE INFO 'triggers: waiting for transactions that use webhook_triggers';
            ELSIF tries = 600 THEN
                RAISE EXCEPTION 'other transactions kept webhook_triggers locked for ten minutes: try again when no long transaction uses it';
            END IF;
        END;
        PERFORM pg_sleep(0.9);
    END LOOP;
    DROP FUNCTION IF EXISTS kheops_webhooks_accelerate.check_and_repair(),
        kheops_webhooks_accelerate.count_triggers(), kheops_webhooks_accelerate.doubt_replicated(),
        kheops_webhooks_accelerate.fold_now_and_then(bigint), kheops_webhooks_accelerate.fold(bigint),
        kheops_webhooks_accelerate.count_changes(),
        kheops_webhooks_accelerate.add_to_count(bigint, bigint);
    -- Fails if the schema contains anything else.
    DROP SCHEMA kheops_webhooks_accelerate;
    RAISE INFO 'triggers and schema kheops_webhooks_accelerate: dropped';
END
$$;

SELECT to_regclass('public.kheops_webhooks_newest') IS NOT NULL AS is_there \gset
\if :is_there
    DROP INDEX CONCURRENTLY public.kheops_webhooks_newest;
    DO $$ BEGIN RAISE INFO 'index kheops_webhooks_newest: dropped'; END $$;
\else
    DO $$ BEGIN RAISE INFO 'index kheops_webhooks_newest: not there'; END $$;
\endif

DO $$
BEGIN
    PERFORM pg_advisory_unlock('pg_namespace'::regclass::oid::integer, hashtext('kheops_webhooks_accelerate'));
END
$$;
