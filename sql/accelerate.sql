-- SPDX-License-Identifier: MIT
-- Makes the list take the same time however long the history of triggers is: an index that finds the
-- newest triggers of a webhook, and a count of its triggers that the database itself keeps exact.
--
--     psql -v ON_ERROR_STOP=1 -d KHEOPS_DATABASE -f accelerate.sql
--
-- Offered, never required. The worker notices by itself, while running, that this is there or gone,
-- and answers the same either way. Undone by accelerate-undo.sql: run it before an upgrade of Kheops,
-- and this file again after it. A migration that alters webhook_triggers in place would do no harm,
-- but one that makes it anew leaves the count behind: the worker then counts for itself again.
--
-- Who runs it: the owner of the Kheops tables if that role may create schemas in the database, or a
--   superuser; on the primary, with Kheops running. Not inside a transaction (no --single-transaction).
--   It says what it did, and can be run again: also to finish what was interrupted.
--   What another role has made under its names it refuses, and nothing of the owner's runs as the
--   superuser (README.md, "Names").
-- What it makes: the index kheops_webhooks_newest on webhook_triggers (webhook_fk, pk DESC); four
--   triggers kheops_webhooks_count_… on webhook_triggers; and the schema kheops_webhooks_accelerate
--   with the tables trigger_counts and ready, and their functions. Everything belongs to the owner of
--   webhook_triggers. Every role may read these two tables: how many triggers a webhook has, by the
--   webhook's primary key, and nothing else.
-- What it locks: no reader. Writers of webhook_triggers wait while the triggers are made, which is a
--   moment, and at most 0.1 s for each try to get that lock: where a longer transaction holds it, this
--   file steps back and tries again, for up to ten minutes. The index is built, and the triggers are
--   counted, beside running readers and writers. Building the index waits for transactions that are
--   older than it.
-- How long: one pass over webhook_triggers to build the index, another to count.
-- Space: the index has about 30 bytes for each trigger; the count 150 bytes for each webhook.
-- What it costs afterwards: each statement that inserts or deletes triggers changes one row more for
--   each webhook it is about, in the same transaction. scripts/insert-cost measures it.
-- What it never does: make a writer wait, fail or deadlock. The count of a webhook is the sum of its
--   rows in trigger_counts. A writer changes one of them if nobody else holds it, and otherwise adds
--   one; who finds several that are free makes them one again.
--
-- When the count can be wrong: only after changes that fired no trigger, or fired one twice:
--   * made under session_replication_role = replica, or with triggers disabled (pg_restore
--     --disable-triggers): not counted.
--   * applied by logical replication: not counted. This file refuses to be installed where
--     webhook_triggers is subscribed to.
--   * a restore of data only, into a database that has this: counted twice when trigger_counts is
--     among the data. A restore of everything is exact.
-- The one command that checks and repairs, at any time, beside readers and writers; it tells how many
-- webhooks had a wrong count. Run it as the owner of the tables, whose function it is:
--
--     SELECT kheops_webhooks_accelerate.check_and_repair();

\set ON_ERROR_STOP on
\set QUIET on
-- PostgreSQL's own operators, functions and types, whatever other roles have made (README.md, "Names").
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = notice;
SET default_transaction_isolation = 'read committed';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class
                   WHERE oid = to_regclass('public.webhook_triggers') AND relkind = 'r') THEN
        RAISE EXCEPTION 'database % has no table public.webhook_triggers: this is not a Kheops database',
            current_database();
    END IF;
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby: run this on its primary';
    END IF;
    IF EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = 'public.webhook_triggers'::regclass) THEN
        RAISE EXCEPTION 'webhook_triggers is subscribed to by logical replication, which fires no triggers: nothing was done';
    END IF;
    IF to_regclass('public.kheops_webhooks_newest') IS NOT NULL
       AND NOT EXISTS (SELECT FROM pg_index
                       WHERE indexrelid = to_regclass('public.kheops_webhooks_newest')
                         AND indrelid = 'public.webhook_triggers'::regclass) THEN
        RAISE EXCEPTION 'public.kheops_webhooks_newest is there, but is no index of webhook_triggers: rename or drop it; nothing was done';
    END IF;
END
$$;

BEGIN;

DO $$
DECLARE
    owner constant oid := (
        SELECT relowner FROM pg_class WHERE oid = 'public.webhook_triggers'::regclass);
    kheops constant name := pg_get_userbyid(owner);
    place constant oid := to_regnamespace('kheops_webhooks_accelerate');
BEGIN
    -- What another role has put there would be run as, or read by, those who use Kheops.
    IF EXISTS (SELECT FROM pg_namespace WHERE oid = place AND nspowner <> owner
               UNION ALL SELECT FROM pg_class WHERE relnamespace = place AND relowner <> owner
               UNION ALL SELECT FROM pg_proc WHERE pronamespace = place AND proowner <> owner) THEN
        RAISE EXCEPTION 'schema kheops_webhooks_accelerate, or something in it, does not belong to %, the owner of webhook_triggers: see whose it is, and drop it; nothing was done',
            kheops;
    END IF;
    IF place IS NULL THEN
        CREATE SCHEMA kheops_webhooks_accelerate;
        EXECUTE format('ALTER SCHEMA kheops_webhooks_accelerate OWNER TO %I', kheops);
        RAISE NOTICE 'schema kheops_webhooks_accelerate: created';
    ELSE
        RAISE NOTICE 'schema kheops_webhooks_accelerate: there already';
    END IF;

    IF to_regclass('kheops_webhooks_accelerate.trigger_counts') IS NULL THEN
        -- No key: writers add rows without waiting for each other. Half of each page is kept free,
        -- so that a row can be changed where it is.
        CREATE TABLE kheops_webhooks_accelerate.trigger_counts (
            webhook_fk bigint NOT NULL,
            n          bigint NOT NULL
        ) WITH (fillfactor = 50);
        CREATE INDEX trigger_counts_webhook_fk_index
            ON kheops_webhooks_accelerate.trigger_counts (webhook_fk);
        -- Where all tables are published, changing a row without an identity would be an error.
        ALTER TABLE kheops_webhooks_accelerate.trigger_counts REPLICA IDENTITY FULL;
        EXECUTE format('ALTER TABLE kheops_webhooks_accelerate.trigger_counts OWNER TO %I', kheops);
    END IF;
END
$$;

-- Adds to the count of one webhook; called by the two functions after it only.
--
-- A row is changed only by the transaction that has locked it, and SKIP LOCKED waits for nobody. In
-- READ COMMITTED each statement in here sees what was committed before it, and so a locked row as it
-- is now. In the other isolation levels a row may have been changed behind the transaction's snapshot
-- and touching it would be a serialization failure: there, a transaction changes only its own rows.
--
-- The setting kheops_webhooks_accelerate.changed tells which row this transaction has changed last:
-- its webhook and ctid. Without it, the hundred thousandth change of a webhook in one transaction, as
-- when Kheops deletes one, would be looking for its row among a hundred thousand dead versions.
-- It is a hint, for whoever writes can set it to any text: what has not its form, or more digits than
-- a tid can surely hold, is nothing, and the row must be that webhook's and, where no row of others
-- may be touched, this transaction's. No backslash stands in these functions: what it means in a
-- string is another of the writer's settings.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.add_to_count(webhook bigint, change bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sees_others constant boolean :=
        current_setting('transaction_isolation') IN ('read committed', 'read uncommitted');
    hint constant text := current_setting('kheops_webhooks_accelerate.changed', true);
    mine tid[];
    total bigint;
    changed tid;
BEGIN
    IF starts_with(hint, webhook || ' ') AND octet_length(hint) < 64
       AND hint ~ '^[0-9]+ [(][0-9]{1,9},[0-9]{1,4}[)]$' THEN
        SELECT ARRAY[ctid], n INTO mine, total
        FROM kheops_webhooks_accelerate.trigger_counts
        WHERE ctid = split_part(hint, ' ', 2)::tid AND webhook_fk = webhook
          AND (sees_others OR xmin::text = (txid_current() % 4294967296)::text)
        FOR UPDATE SKIP LOCKED;
    END IF;
    IF mine IS NULL AND sees_others THEN
        SELECT array_agg(free.ctid), sum(free.n) INTO mine, total
        FROM (
            SELECT ctid, n
            FROM kheops_webhooks_accelerate.trigger_counts
            WHERE webhook_fk = webhook
            LIMIT 10
            FOR UPDATE SKIP LOCKED
        ) AS free;
    END IF;

    total := coalesce(total, 0) + change;
    IF mine IS NULL THEN
        INSERT INTO kheops_webhooks_accelerate.trigger_counts VALUES (webhook, total)
        RETURNING ctid INTO changed;
    ELSIF total <> 0 THEN
        UPDATE kheops_webhooks_accelerate.trigger_counts SET n = total
        WHERE ctid = mine[1]
        RETURNING ctid INTO changed;
        mine := mine[2:];
    END IF;
    IF cardinality(mine) > 0 THEN
        DELETE FROM kheops_webhooks_accelerate.trigger_counts WHERE ctid = ANY (mine);
    END IF;
    PERFORM set_config('kheops_webhooks_accelerate.changed',
                       coalesce(webhook || ' ' || changed, ''), true);
END
$$;

-- enable_seqscan: plans are kept, and one made while the table was small must serve when it is not.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.count_changes()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM kheops_webhooks_accelerate.add_to_count(webhook_fk, count(*))
        FROM added GROUP BY webhook_fk;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM kheops_webhooks_accelerate.add_to_count(webhook_fk, -count(*))
        FROM removed GROUP BY webhook_fk;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM kheops_webhooks_accelerate.add_to_count(webhook_fk, sum(change))
        FROM (
            SELECT webhook_fk, 1 AS change FROM added
            UNION ALL
            SELECT webhook_fk, -1 FROM removed
        ) AS changes
        GROUP BY webhook_fk HAVING sum(change) <> 0;
    ELSE
        -- Like the table's own TRUNCATE, it leaves nothing to any snapshot.
        TRUNCATE kheops_webhooks_accelerate.trigger_counts;
    END IF;
    RETURN NULL;
END
$$;

-- Compares each webhook's count with its triggers in one snapshot, and adds what is missing: at first
-- everything. Returns how many webhooks had another count.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.check_and_repair()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong bigint;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'run it in a READ COMMITTED transaction: it must see what others committed';
    END IF;
    -- In the order in which writers take them. The second keeps out another of these and no writer.
    LOCK TABLE public.webhook_triggers IN ACCESS SHARE MODE;
    LOCK TABLE kheops_webhooks_accelerate.trigger_counts IN SHARE UPDATE EXCLUSIVE MODE;
    INSERT INTO kheops_webhooks_accelerate.trigger_counts (webhook_fk, n)
    SELECT webhook_fk, coalesce(there.n, 0) - coalesce(counted.n, 0)
    FROM (SELECT webhook_fk, count(*) AS n FROM public.webhook_triggers GROUP BY webhook_fk) AS there
    FULL JOIN (
        SELECT webhook_fk, sum(n) AS n
        FROM kheops_webhooks_accelerate.trigger_counts GROUP BY webhook_fk
    ) AS counted USING (webhook_fk)
    WHERE coalesce(there.n, 0) <> coalesce(counted.n, 0);
    GET DIAGNOSTICS wrong = ROW_COUNT;
    RAISE NOTICE 'count: corrected for % webhooks', wrong;
    RETURN wrong;
END
$$;

DO $$
DECLARE
    kheops constant name := (
        SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.webhook_triggers'::regclass);
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'kheops_webhooks_accelerate.add_to_count(bigint, bigint)',
        'kheops_webhooks_accelerate.count_changes()',
        'kheops_webhooks_accelerate.check_and_repair()'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', made, kheops);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', made);
    END LOOP;
    GRANT USAGE ON SCHEMA kheops_webhooks_accelerate TO PUBLIC;
    GRANT SELECT ON kheops_webhooks_accelerate.trigger_counts TO PUBLIC;
    RAISE NOTICE 'table and functions: made for %', kheops;
END
$$;

COMMIT;

SELECT to_regclass('public.kheops_webhooks_newest') IS NOT NULL AS is_there,
       EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('public.kheops_webhooks_newest')
                                      AND NOT indisvalid) AS is_unfinished
\gset
\if :is_unfinished
    DROP INDEX CONCURRENTLY public.kheops_webhooks_newest;
    \set is_there false
    DO $$ BEGIN RAISE NOTICE 'index kheops_webhooks_newest: an unfinished one was dropped'; END $$;
\endif
\if :is_there
    DO $$ BEGIN RAISE NOTICE 'index kheops_webhooks_newest: there already'; END $$;
\else
    CREATE INDEX CONCURRENTLY kheops_webhooks_newest
        ON public.webhook_triggers (webhook_fk, pk DESC);
    DO $$ BEGIN RAISE NOTICE 'index kheops_webhooks_newest: built'; END $$;
\endif

-- From the end of this transaction on every change is counted, for the lock is granted when nobody
-- has changes in hand.
DO $$
DECLARE
    tries integer := 0;
    made name;
BEGIN
    IF (SELECT count(*) FROM pg_trigger
        WHERE tgrelid = 'public.webhook_triggers'::regclass
          AND starts_with(tgname::text, 'kheops_webhooks_count_')
          AND tgenabled IN ('O', 'A')) = 4 THEN
        RAISE NOTICE 'triggers: there already';
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', '100ms', true);
    LOOP
        BEGIN
            LOCK TABLE public.webhook_triggers IN SHARE ROW EXCLUSIVE MODE;
            -- Changes were missed: nobody may read the count until it is checked below.
            IF to_regclass('kheops_webhooks_accelerate.ready') IS NOT NULL THEN
                DROP TABLE kheops_webhooks_accelerate.ready;
            END IF;
            FOR made IN SELECT tgname FROM pg_trigger
                        WHERE tgrelid = 'public.webhook_triggers'::regclass
                          AND starts_with(tgname::text, 'kheops_webhooks_count_') LOOP
                EXECUTE format('DROP TRIGGER %I ON public.webhook_triggers', made);
            END LOOP;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            tries := tries + 1;
            IF tries = 1 THEN
                RAISE NOTICE 'triggers: waiting for transactions that have changed webhook_triggers';
            ELSIF tries = 600 THEN
                RAISE EXCEPTION 'webhook_triggers was never free in ten minutes: try again when no long transaction changes it';
            END IF;
        END;
        PERFORM pg_sleep(0.9);
    END LOOP;
    CREATE TRIGGER kheops_webhooks_count_insert AFTER INSERT ON public.webhook_triggers
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_changes();
    CREATE TRIGGER kheops_webhooks_count_delete AFTER DELETE ON public.webhook_triggers
        REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_changes();
    CREATE TRIGGER kheops_webhooks_count_update AFTER UPDATE ON public.webhook_triggers
        REFERENCING OLD TABLE AS removed NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_changes();
    CREATE TRIGGER kheops_webhooks_count_truncate AFTER TRUNCATE ON public.webhook_triggers
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_changes();
    RAISE NOTICE 'triggers: made; what changes from now on is counted';
END
$$;

-- What was there before is counted now. The table ready is there only when the count is whole, and
-- names the table that was counted: one made anew would not be it.
--
-- The function belongs to the owner of the tables, who may have changed it since, and reads and writes
-- tables with that role's triggers. Refreshing a view is how a superuser can run it: as the view's
-- owner, with nothing left to run at the commit and no way to another role.
DO $$
DECLARE
    kheops constant name := (
        SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.webhook_triggers'::regclass);
BEGIN
    CREATE MATERIALIZED VIEW kheops_webhooks_accelerate.counting AS
        SELECT kheops_webhooks_accelerate.check_and_repair() WITH NO DATA;
    EXECUTE format('ALTER MATERIALIZED VIEW kheops_webhooks_accelerate.counting OWNER TO %I', kheops);
    REFRESH MATERIALIZED VIEW kheops_webhooks_accelerate.counting;
    DROP MATERIALIZED VIEW kheops_webhooks_accelerate.counting;
    IF to_regclass('kheops_webhooks_accelerate.ready') IS NULL THEN
        CREATE TABLE kheops_webhooks_accelerate.ready AS
            SELECT 'public.webhook_triggers'::regclass AS triggers;
        EXECUTE format('ALTER TABLE kheops_webhooks_accelerate.ready OWNER TO %I', kheops);
        GRANT SELECT ON kheops_webhooks_accelerate.ready TO PUBLIC;
    END IF;
    RAISE NOTICE 'the list is accelerated';
END
$$;

ANALYZE kheops_webhooks_accelerate.trigger_counts, kheops_webhooks_accelerate.ready;
