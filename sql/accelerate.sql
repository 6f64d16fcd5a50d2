-- SPDX-License-Identifier: MIT
-- Makes the list take the same time however long the history of triggers is: creates an index that finds
-- the newest triggers of a webhook, and a count of its triggers that the database itself keeps exact.
--
--     sudo -u postgres psql -v ON_ERROR_STOP=1 -d kheops -f /usr/share/kheops-webhooks/sql/accelerate.sql
--
-- From source: /usr/local/share/…. The user postgres cannot read a file in your home.
--
-- Optional. A running worker notices by itself whether the count is in force, and gives the same answers
-- either way. accelerate-undo.sql removes everything. Run that before an upgrade of Kheops, and this
-- file again after it. If you forget that, no writer fails because of a migration (see below).
--
-- Who runs it: the owner of the Kheops tables if that role may create schemas in the database, or a
--   superuser; on the primary, with Kheops running. Not inside a transaction (no --single-transaction).
--   It reports what it did, and can be run again: to check and repair, to finish an interrupted run, to
--   replace an earlier version, and whenever the count is not in force.
--   It rejects objects of its names that another role has made, and runs no code of the owner as the
--   superuser (README.md, "Names").
-- What it makes: the index kheops_webhooks_newest on webhook_triggers; five triggers
--   kheops_webhooks_count_… on webhook_triggers; and the schema kheops_webhooks_accelerate with the
--   tables counts, changes, doubts and ready, and their functions. Everything belongs to the owner of
--   webhook_triggers. Every role may read these tables: how many triggers a webhook has, by the
--   webhook's primary key, which transactions changed that lately, and nothing else.
-- What it locks: readers of Kheops' tables never wait. Writers of webhook_triggers wait while this file
--   makes the triggers, which is short, and at most 0.1 s for each attempt to get that lock: where a
--   transaction holds it longer, this file tries again each second, for up to ten minutes. Run again, it
--   also waits for readers of its own tables, such as pg_dump, and they wait for it. Building the index
--   and counting the triggers block neither readers nor writers. Building the index waits for
--   transactions that are older than it.
-- How long: one pass over webhook_triggers to build the index, another to count.
-- Space: the index has about 30 bytes for each trigger; the count 150 bytes for each webhook.
-- What it costs afterwards: each statement that inserts or deletes triggers adds one row for each
--   webhook concerned, in the same transaction. scripts/insert-cost measures it.
-- What it never does, while its tables exist: make a writer wait or fail. A writer adds rows to changes
--   and reads no row of other writers. One of 64 also folds: it replaces the changes of that webhook,
--   some dozens on average, by their sum in counts, unless another writer is doing so. Where a migration
--   has made counting impossible (webhook_fk renamed, dropped, or no longer a whole number), the writer
--   succeeds, a row in doubts and a line in the server's log report it, and the worker counts for
--   itself.
--   While a transaction that has written stays open, anywhere in the server, PostgreSQL cannot remove
--   dead rows: folds and lists then scan the folded changes of the webhook, some ms for 60,000 of them.
--   A SERIALIZABLE transaction folds only if it finds no other transaction that has written. One that
--   begins before it ends can still get a serialization failure, as any SERIALIZABLE transaction can.
--
-- The count is not in force, until this file has been run again, after any of these:
--   * one of its triggers was disabled or dropped, even if it was enabled again (pg_restore
--     --disable-triggers). Changes under session_replication_role = replica are counted.
--   * a restore of a dump, or an upgrade by pg_upgrade: the count belongs to the database where it was
--     made. A data-only restore into a database that has the count ends it too.
--   * webhook_triggers was made anew, or is or was subscribed to (logical replication fires no triggers
--     of this kind: this file refuses to be installed there).
--   * another column has become webhook_fk (DROP, ADD, RENAME COLUMN).
--   * a row was added to doubts, as above.
--   It is never in force for a role from which row level security hides triggers. Two changes are not
--   noticed: a table that later inherits from webhook_triggers, and ALTER COLUMN webhook_fk TYPE … USING
--   that changes values. Run accelerate-undo.sql before either.
-- The owner of the tables can compare the count with the triggers at any time, beside readers and
-- writers; this corrects wrong counts, returns how many webhooks had one, and folds all changes:
--
--     SELECT kheops_webhooks_accelerate.check_and_repair();
--
-- Publications: where all tables are published (CREATE PUBLICATION … FOR ALL TABLES), a subscriber
--   without the tables of this file stops for good at their first change, and the primary keeps its WAL
--   until its disk is full; accelerate-undo.sql does not help then. This file therefore refuses to be
--   installed in such a database. To install it nevertheless, run this on each subscriber first,
--
--     CREATE SCHEMA kheops_webhooks_accelerate;
--     CREATE TABLE kheops_webhooks_accelerate.counts (webhook_fk bigint PRIMARY KEY, n bigint, changes_from bigint);
--     CREATE TABLE kheops_webhooks_accelerate.changes (webhook_fk bigint, txid bigint, n bigint);
--     CREATE TABLE kheops_webhooks_accelerate.doubts (since timestamptz, sqlstate text);
--     CREATE TABLE kheops_webhooks_accelerate.ready (triggers regclass, webhook_fk smallint, triggers_made_by xid, counted_by xid);
--
--   then this file with -v subscribers_have_tables=yes, and on each subscriber afterwards
--   ALTER SUBSCRIPTION … REFRESH PUBLICATION. Do the same, in this order, before a later
--   CREATE PUBLICATION … FOR ALL TABLES. On a subscriber the count is not in force.

\set ON_ERROR_STOP on
\set QUIET on
-- Only PostgreSQL's own operators, functions and types are used (README.md, "Names").
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;  -- psql still shows INFO
SET default_transaction_isolation = 'read committed';

-- This file and accelerate-undo.sql run one at a time: otherwise each would undo half of the other.
DO $$
BEGIN
    IF NOT pg_try_advisory_lock('pg_namespace'::regclass::oid::integer, hashtext('kheops_webhooks_accelerate')) THEN
        RAISE EXCEPTION 'accelerate.sql or accelerate-undo.sql is running in another session: wait for its end; nothing was done';
    END IF;
END
$$;

DO $$
DECLARE
    owner constant oid := (
        SELECT relowner FROM pg_class WHERE oid = to_regclass('public.webhook_triggers') AND relkind = 'r');
    schema_is_there constant boolean := to_regnamespace('kheops_webhooks_accelerate') IS NOT NULL;
BEGIN
    IF owner IS NULL THEN
        RAISE EXCEPTION 'database % has no table public.webhook_triggers: this is not a Kheops database',
            current_database();
    END IF;
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby: run this on its primary';
    END IF;
    IF NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION 'role % is not the owner of webhook_triggers: run this as % or as a superuser; nothing was done',
            current_user, pg_get_userbyid(owner);
    END IF;
    IF NOT schema_is_there AND NOT has_database_privilege(current_database(), 'CREATE') THEN
        RAISE EXCEPTION 'role % may not create schemas in database %: GRANT CREATE ON DATABASE to it, or run this as a superuser; nothing was done',
            current_user, current_database();
    END IF;
    IF NOT has_schema_privilege('public', 'CREATE') THEN
        RAISE EXCEPTION 'role % may not create an index in schema public: GRANT CREATE ON SCHEMA public to it, or run this as a superuser; nothing was done',
            current_user;
    END IF;
    IF EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = 'public.webhook_triggers'::regclass) THEN
        RAISE EXCEPTION 'webhook_triggers is subscribed to by logical replication, which fires no triggers: nothing was done';
    END IF;
    IF EXISTS (SELECT FROM pg_inherits
               WHERE 'public.webhook_triggers'::regclass IN (inhrelid, inhparent)) THEN
        RAISE EXCEPTION 'webhook_triggers is part of an inheritance: a change of one table fires no triggers of the other; nothing was done';
    END IF;
    IF to_regclass('public.kheops_webhooks_newest') IS NOT NULL
       AND NOT EXISTS (SELECT FROM pg_index
                       WHERE indexrelid = to_regclass('public.kheops_webhooks_newest')
                         AND indrelid = 'public.webhook_triggers'::regclass) THEN
        RAISE EXCEPTION 'public.kheops_webhooks_newest is there, but is no index of webhook_triggers: rename or drop it; nothing was done';
    END IF;
END
$$;

-- Where the schema does not exist yet, no publication can name it.
\if :{?subscribers_have_tables}
\else
    DO $$
    DECLARE
        publication name := (SELECT pubname FROM pg_publication WHERE puballtables LIMIT 1);
    BEGIN
        IF publication IS NULL AND to_regclass('pg_publication_namespace') IS NOT NULL THEN
            EXECUTE 'SELECT pubname FROM pg_publication_namespace JOIN pg_publication AS p ON p.oid = pnpubid
                     WHERE pnnspid = to_regnamespace(''kheops_webhooks_accelerate'') LIMIT 1' INTO publication;
        END IF;
        IF publication IS NOT NULL THEN
            RAISE EXCEPTION 'publication % publishes all tables, also those of this file: subscribers without them would stop, and the primary would keep its WAL; see "Publications" in the header; nothing was done',
                publication;
        END IF;
    END
    $$;
\endif

BEGIN;

DO $$
DECLARE
    owner constant oid := (
        SELECT relowner FROM pg_class WHERE oid = 'public.webhook_triggers'::regclass);
    kheops constant name := pg_get_userbyid(owner);
    place constant oid := to_regnamespace('kheops_webhooks_accelerate');
BEGIN
    -- Users of Kheops would run functions, and read tables, that another role has put there.
    IF EXISTS (SELECT FROM pg_namespace WHERE oid = place AND nspowner <> owner
               UNION ALL SELECT FROM pg_class WHERE relnamespace = place AND relowner <> owner
               UNION ALL SELECT FROM pg_proc WHERE pronamespace = place AND proowner <> owner) THEN
        RAISE EXCEPTION 'schema kheops_webhooks_accelerate, or something in it, does not belong to %, the owner of webhook_triggers: check whose it is, and drop it; nothing was done',
            kheops;
    END IF;
    IF place IS NULL THEN
        CREATE SCHEMA kheops_webhooks_accelerate;
        EXECUTE format('ALTER SCHEMA kheops_webhooks_accelerate OWNER TO %I', kheops);
        RAISE INFO 'schema kheops_webhooks_accelerate: created';
    ELSE
        RAISE INFO 'schema kheops_webhooks_accelerate: there already';
    END IF;
END
$$;

-- Replaces changes of one webhook by their sum in counts. Only the functions below call it.
--
-- The advisory lock keeps other transactions from folding the same webhook until this one ends; nobody
-- waits for it. There are 64 of them, so that a transaction that changes many webhooks holds no more.
--
-- changes_from bounds what this function and the statement of the list read: folded rows stay in the
-- index as long as an old snapshot may need them. The horizon is older than every transaction in
-- progress: this transaction sees all changes before it, and no more can come. It leaves its own changes
-- to later folds: it would scan them again at each fold.
--
-- In REPEATABLE READ, if another transaction has folded since the snapshot, this one folds nothing.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.fold(webhook bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    max_rows constant integer := 10000;
    horizon constant bigint := txid_snapshot_xmin(txid_current_snapshot());
    folded_before bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock('kheops_webhooks_accelerate.counts'::regclass::oid::integer,
                                     (webhook & 63)::integer) THEN
        RETURN;
    END IF;
    SELECT changes_from INTO folded_before
    FROM kheops_webhooks_accelerate.counts WHERE webhook_fk = webhook;
    WITH old AS MATERIALIZED (
        SELECT ctid, txid, n
        FROM kheops_webhooks_accelerate.changes
        WHERE webhook_fk = webhook AND txid >= coalesce(folded_before, 0) AND txid < txid_current()
        ORDER BY webhook_fk, txid
        LIMIT max_rows
    ), deleted AS (
        DELETE FROM kheops_webhooks_accelerate.changes WHERE ctid = ANY (ARRAY(SELECT ctid FROM old))
    )
    INSERT INTO kheops_webhooks_accelerate.counts AS k (webhook_fk, n, changes_from)
    SELECT webhook, coalesce(sum(n), 0),
           CASE WHEN count(*) < max_rows THEN horizon ELSE least(horizon, max(txid)) END
    FROM old HAVING count(*) > 0 OR folded_before < horizon
    ON CONFLICT (webhook_fk)
        DO UPDATE SET n = k.n + excluded.n, changes_from = excluded.changes_from;
EXCEPTION
    WHEN serialization_failure THEN
        NULL;
    WHEN OTHERS THEN
        RAISE LOG 'kheops_webhooks_accelerate: changes could not be folded: % (%)', SQLERRM, SQLSTATE;
END
$$;

-- Folds the webhook and, so that none has many changes for long, one that is chosen at random: the more
-- changes a webhook has, the likelier. A deleted webhook is folded in no other way.
--
-- In SERIALIZABLE, PostgreSQL may end a transaction that reads what another one is adding to, as a fold
-- does. There, a transaction folds only if no other one has written, and only its own webhook.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.fold_now_and_then(webhook bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') = 'serializable' THEN
        IF NOT EXISTS (SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
                       WHERE l.locktype = 'transactionid' AND l.pid <> pg_backend_pid()
                         AND a.datname = current_database()) THEN
            PERFORM kheops_webhooks_accelerate.fold(webhook);
        END IF;
        RETURN;
    END IF;
    PERFORM kheops_webhooks_accelerate.fold(webhook);
    PERFORM kheops_webhooks_accelerate.fold(c.webhook_fk)
    FROM (
        SELECT webhook_fk FROM kheops_webhooks_accelerate.changes TABLESAMPLE SYSTEM (1) LIMIT 1
    ) AS c;
END
$$;

-- Adds what a statement has changed to the count. It runs for each statement that changes
-- webhook_triggers: it is short, and names the schema of everything instead of setting a search_path.
-- The common statement concerns one webhook: then min() and max() are equal.
--
-- The code that reads webhook_fk is in its own block: a migration may have renamed, dropped or altered
-- it, and no writer may fail for that. int8up() takes whole numbers only; others would be rounded.
-- That block writes nothing but the doubt, or each statement would take one more transaction number.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.count_triggers()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    webhook bigint;
    other bigint;
    change bigint;
    webhooks bigint[];
    changes bigint[];
BEGIN
    BEGIN
        IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            SELECT pg_catalog.int8up(pg_catalog.min(webhook_fk)), pg_catalog.max(webhook_fk),
                   pg_catalog.count(webhook_fk)
            INTO webhook, other, change FROM added;
            IF webhook OPERATOR(pg_catalog.<>) other THEN
                SELECT pg_catalog.array_agg(a.webhook_fk), pg_catalog.array_agg(a.n) INTO webhooks, changes
                FROM (SELECT webhook_fk, pg_catalog.count(*) AS n FROM added GROUP BY webhook_fk) AS a;
            END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            SELECT pg_catalog.int8up(pg_catalog.min(webhook_fk)), pg_catalog.max(webhook_fk),
                   OPERATOR(pg_catalog.-) pg_catalog.count(webhook_fk)
            INTO webhook, other, change FROM removed;
            IF webhook OPERATOR(pg_catalog.<>) other THEN
                SELECT pg_catalog.array_agg(r.webhook_fk), pg_catalog.array_agg(r.n) INTO webhooks, changes
                FROM (SELECT webhook_fk, OPERATOR(pg_catalog.-) pg_catalog.count(*) AS n
                      FROM removed GROUP BY webhook_fk) AS r;
            END IF;
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
            SELECT pg_catalog.array_agg(pg_catalog.int8up(u.webhook_fk)), pg_catalog.array_agg(u.n)
            INTO webhooks, changes
            FROM (
                SELECT b.webhook_fk, pg_catalog.sum(b.n) AS n
                FROM (
                    SELECT webhook_fk, 1 AS n FROM added
                    UNION ALL
                    SELECT webhook_fk, -1 FROM removed
                ) AS b
                GROUP BY b.webhook_fk HAVING pg_catalog.sum(b.n) OPERATOR(pg_catalog.<>) 0
            ) AS u;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        IF NOT EXISTS (SELECT FROM kheops_webhooks_accelerate.doubts) THEN
            INSERT INTO kheops_webhooks_accelerate.doubts VALUES (pg_catalog.now(), SQLSTATE);
            RAISE LOG 'kheops_webhooks_accelerate: triggers are no longer counted: % (%)', SQLERRM, SQLSTATE;
        END IF;
        RETURN NULL;
    END;

    IF webhook OPERATOR(pg_catalog.=) other THEN
        INSERT INTO kheops_webhooks_accelerate.changes VALUES (webhook, pg_catalog.txid_current(), change);
        IF pg_catalog.random() OPERATOR(pg_catalog.<) 0.015625 THEN
            PERFORM kheops_webhooks_accelerate.fold_now_and_then(webhook);
        END IF;
    ELSIF webhooks IS NOT NULL THEN
        INSERT INTO kheops_webhooks_accelerate.changes
        SELECT c.webhook_fk, pg_catalog.txid_current(), c.n
        FROM ROWS FROM (pg_catalog.unnest(webhooks), pg_catalog.unnest(changes)) AS c (webhook_fk, n)
        WHERE c.webhook_fk IS NOT NULL;
        PERFORM kheops_webhooks_accelerate.fold_now_and_then(c.webhook_fk)
        FROM (
            SELECT c.webhook_fk FROM pg_catalog.unnest(webhooks) AS c (webhook_fk)
            WHERE c.webhook_fk IS NOT NULL AND pg_catalog.random() OPERATOR(pg_catalog.<) 0.015625
            LIMIT 100
        ) AS c;
    ELSIF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
        -- As after the table's own TRUNCATE, no snapshot sees the rows any more.
        TRUNCATE kheops_webhooks_accelerate.counts, kheops_webhooks_accelerate.changes;
    END IF;
    RETURN NULL;
END
$$;

-- Runs for each row under session_replication_role = replica. Changes that a subscription applies fire
-- no statement triggers, and after DROP SUBSCRIPTION nothing else would show that there were any. An
-- apply worker is recognized by having no statement from a client.
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.doubt_replicated()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_query() IS NULL AND NOT EXISTS (SELECT FROM kheops_webhooks_accelerate.doubts) THEN
        INSERT INTO kheops_webhooks_accelerate.doubts VALUES (now(), '0A000');
        RAISE LOG 'kheops_webhooks_accelerate: triggers are no longer counted: they come by logical replication';
    END IF;
    RETURN NULL;
END
$$;

-- Compares each webhook's count with its triggers in one snapshot, and adds the difference: the whole
-- count in the first run. Then folds all changes. Returns how many webhooks had a wrong count. Fails
-- where a policy hides triggers from their owner (FORCE ROW LEVEL SECURITY).
CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.check_and_repair()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    wrong bigint;
    horizon bigint;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'check_and_repair() needs the isolation level READ COMMITTED'
            USING HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED; SELECT kheops_webhooks_accelerate.check_and_repair(); COMMIT;';
    END IF;
    -- No other session folds or runs this function meanwhile. This waits for transactions that have
    -- folded, and comes before any table lock: they may be about to lock a table ACCESS EXCLUSIVE.
    PERFORM pg_advisory_xact_lock('kheops_webhooks_accelerate.counts'::regclass::oid::integer, lock)
    FROM generate_series(0, 63) AS lock;
    -- Before the tables of this file: writers lock in this order.
    LOCK TABLE public.webhook_triggers IN ACCESS SHARE MODE;
    INSERT INTO kheops_webhooks_accelerate.changes (webhook_fk, txid, n)
    SELECT webhook_fk, txid_current(), coalesce(there.n, 0) - coalesce(counted.n, 0)
    FROM (SELECT webhook_fk, count(*) AS n FROM public.webhook_triggers GROUP BY webhook_fk) AS there
    FULL JOIN (
        SELECT webhook_fk, sum(n) AS n
        FROM (
            SELECT webhook_fk, n FROM kheops_webhooks_accelerate.counts
            UNION ALL
            SELECT c.webhook_fk, c.n
            FROM kheops_webhooks_accelerate.changes AS c
            LEFT JOIN kheops_webhooks_accelerate.counts AS k USING (webhook_fk)
            WHERE c.txid >= coalesce(k.changes_from, 0)
        ) AS parts
        GROUP BY webhook_fk
    ) AS counted USING (webhook_fk)
    WHERE coalesce(there.n, 0) <> coalesce(counted.n, 0) AND webhook_fk IS NOT NULL;
    GET DIAGNOSTICS wrong = ROW_COUNT;
    RAISE INFO 'count: corrected for % webhooks', wrong;
    horizon := txid_snapshot_xmin(txid_current_snapshot());
    WITH taken AS (
        DELETE FROM kheops_webhooks_accelerate.changes RETURNING webhook_fk, txid, n
    )
    INSERT INTO kheops_webhooks_accelerate.counts AS k (webhook_fk, n, changes_from)
    SELECT webhook_fk, sum(t.n), horizon
    FROM taken AS t LEFT JOIN kheops_webhooks_accelerate.counts AS b USING (webhook_fk)
    WHERE t.txid >= coalesce(b.changes_from, 0)
    GROUP BY webhook_fk
    ON CONFLICT (webhook_fk)
        DO UPDATE SET n = k.n + excluded.n, changes_from = excluded.changes_from;
    DELETE FROM kheops_webhooks_accelerate.counts WHERE n = 0;
    IF EXISTS (SELECT FROM kheops_webhooks_accelerate.doubts) THEN
        RAISE WARNING 'changes may not have been counted since %: run accelerate.sql again',
            (SELECT min(since) FROM kheops_webhooks_accelerate.doubts);
    END IF;
    RETURN wrong;
END
$$;

DO $$
DECLARE
    kheops constant name := (
        SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.webhook_triggers'::regclass);
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['fold(bigint)', 'fold_now_and_then(bigint)', 'count_triggers()',
                                'doubt_replicated()', 'check_and_repair()'] LOOP
        EXECUTE format('ALTER FUNCTION kheops_webhooks_accelerate.%s OWNER TO %I', made, kheops);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION kheops_webhooks_accelerate.%s FROM PUBLIC', made);
    END LOOP;
    GRANT USAGE ON SCHEMA kheops_webhooks_accelerate TO PUBLIC;
    RAISE INFO 'functions: made for %', kheops;
END
$$;

COMMIT;

SELECT to_regclass('public.kheops_webhooks_newest') IS NOT NULL AS is_there,
       EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('public.kheops_webhooks_newest')
                                      AND (NOT indisvalid OR indoption[0] <> 2)) AS is_outdated
\gset
\if :is_outdated
    DROP INDEX CONCURRENTLY public.kheops_webhooks_newest;
    \set is_there false
    DO $$ BEGIN RAISE INFO 'index kheops_webhooks_newest: an unfinished or earlier one was dropped'; END $$;
\endif
\if :is_there
    DO $$ BEGIN RAISE INFO 'index kheops_webhooks_newest: there already'; END $$;
\else
    CREATE INDEX CONCURRENTLY kheops_webhooks_newest
        ON public.webhook_triggers (webhook_fk NULLS FIRST, pk DESC);
    DO $$ BEGIN RAISE INFO 'index kheops_webhooks_newest: built'; END $$;
\endif

-- Every change after this transaction is counted: the lock is granted only when no other transaction
-- has uncommitted changes. The same transaction replaces what an earlier version of this file made.
--
-- The four that count are ENABLE ALWAYS: they also fire under session_replication_role = replica.
--
-- The table ready exists only while the count is complete. It names the table and the column that were
-- counted, and the transactions that made the five triggers and its own row: a trigger that was
-- disabled since, or restored, has another xmin.
--
-- The tables are made anew, and their rows are read in a view that the owner refreshes: they belong to
-- the owner, whose triggers, rules and views would run as the superuser (README.md, "Names").
DO $$
DECLARE
    kheops constant name := (
        SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.webhook_triggers'::regclass);
    tries integer := 0;
    made name;
    is_ready boolean := false;
BEGIN
    IF to_regclass('kheops_webhooks_accelerate.ready') IS NOT NULL
       AND to_regprocedure('kheops_webhooks_accelerate.count_changes()') IS NULL THEN
        CREATE MATERIALIZED VIEW kheops_webhooks_accelerate.state AS
            SELECT count(*) = 1
                   AND NOT EXISTS (SELECT FROM kheops_webhooks_accelerate.doubts)
                   AND bool_and(r.triggers = 'public.webhook_triggers'::regclass
                                AND r.xmin = r.counted_by
                                AND r.webhook_fk = (SELECT a.attnum FROM pg_attribute AS a
                                                    WHERE a.attrelid = r.triggers
                                                      AND a.attname = 'webhook_fk')
                                AND 5 = (SELECT count(*) FROM pg_trigger AS t
                                         WHERE t.tgrelid = r.triggers
                                           AND starts_with(t.tgname::text, 'kheops_webhooks_count_')
                                           AND t.xmin = r.triggers_made_by))
                   AS is_ready
            FROM kheops_webhooks_accelerate.ready AS r
            WITH NO DATA;
        EXECUTE format('ALTER MATERIALIZED VIEW kheops_webhooks_accelerate.state OWNER TO %I', kheops);
        REFRESH MATERIALIZED VIEW kheops_webhooks_accelerate.state;
        SELECT s.is_ready INTO is_ready FROM kheops_webhooks_accelerate.state AS s;
        DROP MATERIALIZED VIEW kheops_webhooks_accelerate.state;
    END IF;
    IF is_ready THEN
        RAISE INFO 'triggers: there already';
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', '100ms', true);
    LOOP
        BEGIN
            LOCK TABLE public.webhook_triggers IN SHARE ROW EXCLUSIVE MODE;
            -- The count lacks changes: nobody may read it until it is made anew below.
            DROP TABLE IF EXISTS kheops_webhooks_accelerate.ready, kheops_webhooks_accelerate.doubts,
                kheops_webhooks_accelerate.counts, kheops_webhooks_accelerate.changes,
                kheops_webhooks_accelerate.trigger_counts;
            FOR made IN SELECT tgname FROM pg_trigger
                        WHERE tgrelid = 'public.webhook_triggers'::regclass
                          AND starts_with(tgname::text, 'kheops_webhooks_count_') LOOP
                EXECUTE format('DROP TRIGGER %I ON public.webhook_triggers', made);
            END LOOP;
            DROP FUNCTION IF EXISTS kheops_webhooks_accelerate.count_changes(),
                kheops_webhooks_accelerate.add_to_count(bigint, bigint);
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            tries := tries + 1;
            IF tries = 1 THEN
                RAISE INFO 'triggers: waiting for transactions that have changed webhook_triggers';
            ELSIF tries = 600 THEN
                RAISE EXCEPTION 'other transactions kept webhook_triggers locked for ten minutes: try again when no long transaction changes it';
            END IF;
        END;
        PERFORM pg_sleep(0.9);
    END LOOP;
    -- The count of a webhook is n in counts plus the sum of n in changes. Half of each page of
    -- counts is kept free for HOT updates.
    CREATE TABLE kheops_webhooks_accelerate.counts (
        webhook_fk   bigint PRIMARY KEY,
        n            bigint NOT NULL,
        changes_from bigint NOT NULL  -- n has all changes of transactions before this one
    ) WITH (fillfactor = 50);
    CREATE TABLE kheops_webhooks_accelerate.changes (
        webhook_fk bigint NOT NULL,
        txid       bigint NOT NULL,  -- the transaction that made it, by txid_current()
        n          bigint NOT NULL
    );
    CREATE INDEX changes_webhook_fk_txid_index
        ON kheops_webhooks_accelerate.changes (webhook_fk, txid);
    -- A row here means that changes were not counted.
    CREATE TABLE kheops_webhooks_accelerate.doubts (
        since    timestamptz NOT NULL,
        sqlstate text NOT NULL
    );
    -- Where all tables are published, DELETE fails in a table without a replica identity.
    ALTER TABLE kheops_webhooks_accelerate.changes REPLICA IDENTITY FULL;
    ALTER TABLE kheops_webhooks_accelerate.doubts REPLICA IDENTITY FULL;
    EXECUTE format('ALTER TABLE kheops_webhooks_accelerate.counts OWNER TO %I', kheops);
    EXECUTE format('ALTER TABLE kheops_webhooks_accelerate.changes OWNER TO %I', kheops);
    EXECUTE format('ALTER TABLE kheops_webhooks_accelerate.doubts OWNER TO %I', kheops);
    GRANT SELECT ON kheops_webhooks_accelerate.counts, kheops_webhooks_accelerate.changes,
        kheops_webhooks_accelerate.doubts TO PUBLIC;
    CREATE TRIGGER kheops_webhooks_count_insert AFTER INSERT ON public.webhook_triggers
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_triggers();
    CREATE TRIGGER kheops_webhooks_count_delete AFTER DELETE ON public.webhook_triggers
        REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_triggers();
    CREATE TRIGGER kheops_webhooks_count_update AFTER UPDATE ON public.webhook_triggers
        REFERENCING OLD TABLE AS removed NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_triggers();
    CREATE TRIGGER kheops_webhooks_count_truncate AFTER TRUNCATE ON public.webhook_triggers
        FOR EACH STATEMENT EXECUTE FUNCTION kheops_webhooks_accelerate.count_triggers();
    CREATE TRIGGER kheops_webhooks_count_replicated AFTER INSERT OR UPDATE OR DELETE ON public.webhook_triggers
        FOR EACH ROW EXECUTE FUNCTION kheops_webhooks_accelerate.doubt_replicated();
    ALTER TABLE public.webhook_triggers
        ENABLE REPLICA TRIGGER kheops_webhooks_count_replicated,
        ENABLE ALWAYS TRIGGER kheops_webhooks_count_insert,
        ENABLE ALWAYS TRIGGER kheops_webhooks_count_delete,
        ENABLE ALWAYS TRIGGER kheops_webhooks_count_update,
        ENABLE ALWAYS TRIGGER kheops_webhooks_count_truncate;
    PERFORM set_config('kheops_webhooks_accelerate.triggers_made_by',
                       (txid_current() % 4294967296)::text, false);
    RAISE INFO 'triggers: made; what changes from now on is counted';
END
$$;

-- Counts the triggers that existed before.
--
-- The function belongs to the owner of the tables, who may have changed it since, and reads and writes
-- tables with that role's triggers. A superuser can run it by refreshing a view: it runs as the view's
-- owner, leaves nothing to run at the commit, and cannot change to another role.
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
        CREATE TABLE kheops_webhooks_accelerate.ready (
            triggers         regclass NOT NULL,
            webhook_fk       smallint NOT NULL,  -- attnum of that column
            triggers_made_by xid NOT NULL,
            counted_by       xid NOT NULL
        );
        ALTER TABLE kheops_webhooks_accelerate.ready REPLICA IDENTITY FULL;
        INSERT INTO kheops_webhooks_accelerate.ready
        VALUES ('public.webhook_triggers',
                (SELECT attnum FROM pg_attribute
                 WHERE attrelid = 'public.webhook_triggers'::regclass AND attname = 'webhook_fk'),
                current_setting('kheops_webhooks_accelerate.triggers_made_by')::xid,
                (txid_current() % 4294967296)::text::xid);
        EXECUTE format('ALTER TABLE kheops_webhooks_accelerate.ready OWNER TO %I', kheops);
        GRANT SELECT ON kheops_webhooks_accelerate.ready TO PUBLIC;
    END IF;
    RAISE INFO 'the list is accelerated';
END
$$;

ANALYZE kheops_webhooks_accelerate.counts, kheops_webhooks_accelerate.changes,
    kheops_webhooks_accelerate.doubts, kheops_webhooks_accelerate.ready;

DO $$
BEGIN
    PERFORM pg_advisory_unlock('pg_namespace'::regclass::oid::integer, hashtext('kheops_webhooks_accelerate'));
END
$$;
