-- SPDX-License-Identifier: MIT
-- One page of an album's webhooks and whether the caller may see it: gates 7 to 9, the page and the
-- total in one round trip and one snapshot. Built into the program from this file and prepared once
-- per connection.
--
-- Parameters: $1 text    the caller's sub            $2 text    the album's id
--             $3 text    only this URL, or NULL      $4 bigint  limit, or NULL
--             $5 bigint  offset
-- There is always a row. user_known, member and admin say how far the caller gets; total means
-- something only to an administrator. From id on, columns are NULL in the only row when the page is
-- empty. last_trigger_ids and last_trigger_passes are parallel, newest first, NULL without triggers.
-- accelerated names the count of accelerate.sql, by the oid of its table ready, when that is there and
-- no trigger that keeps it is missing or disabled: list_webhooks_accelerated.sql may be asked then, and
-- says whether that count is in force.
--
-- Every operator, function, type and catalog is named with its schema, so that nobody else's can be
-- taken for it: the tables alone are looked for in the search_path (README.md, "Names"). BETWEEN, IN,
-- LIKE and USING have no such form and are not used. Below, operators stand without their schema.
--
-- What it must withstand: the only index on the history is webhook_triggers (webhook_fk), histories
-- may be long and of any shape, and the plan is the generic one, made without knowing which webhook.
--   x = y AND x >= y AND x <= y
--       "=" alone is taken to match as many rows as the average value of the column: all of them
--       when one webhook has the whole history, and then a webhook that has none costs a scan of the
--       table. A range between unknown bounds is taken to match 0.5 % whatever the statistics say,
--       which keeps the index; "=" beside it makes the estimate, and the cost, smaller still.
--   recent
--       The last 250 triggers by index. Of a short history these are all, and nothing else is read.
--       The index holds rows of one webhook in their order in the table, so the last are usually the
--       newest; but a scan backwards returns a list of duplicates, of at most 222 rows, in ascending
--       order (PostgreSQL 13 and later). 250 rows contain such a list whole.
--   newest
--       The keys of the newest five of a long history; NULL where recent has them all. The fifth of
--       recent is a lower bound to them. If fewer keys lie between it and the end of the table than
--       this webhook has triggers, the primary key is walked from the end until five are found. Else
--       this webhook's own triggers are read, and the bound leaves next to nothing to sort.
--       A part of CASE that is not chosen costs nothing for each webhook.
--   last - (number_of_triggers - 1)
--       Cannot overflow, whatever the keys are: so many different keys are not above the last.
--   t.pk >= recent.fifth AND t.pk <= 9223372036854775807, t.webhook_fk + 0
--       The walk is on the primary key, and only there; the upper end, which excludes nothing, makes
--       it a range.
--   ORDER BY t.webhook_fk DESC with LIMIT
--       Reads that index from its end, row by row: of many rows, PostgreSQL would otherwise make a
--       bitmap, which forgets the rows and keeps the pages when it is larger than work_mem; in a mixed
--       history these are all pages, for each webhook again. With "=" beside the range the order would
--       mean nothing and be dropped. LIMIT number_of_triggers cuts nothing off; like least(), it is no
--       constant, so that a tenth of the rows is taken to be read and the order of the index to pay.
--   t.pk >= coalesce(recent.fifth, t.pk)
--       t.pk on the right keeps this a filter: the primary key is no way in here.
--   MATERIALIZED, OFFSET 0, LATERAL
--       Keep each part apart, so that it is asked with the values of the part before it. Without an
--       administrator, album_pk is NULL and nothing behind the gate reads a page.
--   array_agg without an order of its own
--       takes the rows in the order of the subquery, which is its only input.
WITH gate AS MATERIALIZED (
    SELECT u.pk IS NOT NULL AS user_known,
           au.pk IS NOT NULL AS member,
           coalesce(au.admin, false) AS admin,
           CASE WHEN au.admin THEN au.album_fk END AS album_pk
    FROM (VALUES (true)) AS always
    LEFT JOIN users AS u ON u.sub OPERATOR(pg_catalog.=) $1::pg_catalog.text
    LEFT JOIN albums AS a ON a.id OPERATOR(pg_catalog.=) $2::pg_catalog.text
                         AND a.pk OPERATOR(pg_catalog.<>) u.inbox_fk
    LEFT JOIN album_user AS au ON au.album_fk OPERATOR(pg_catalog.=) a.pk
                              AND au.user_fk OPERATOR(pg_catalog.=) u.pk
),
matching AS MATERIALIZED (
    SELECT w.*
    FROM gate AS g
    CROSS JOIN LATERAL (
        SELECT w.pk, w.creation_time, w.id, w.url, w.name, w.secret IS NOT NULL AS use_secret,
               w.new_series, w.remove_series, w.new_user, w.delete_album, w.enabled
        FROM webhooks AS w
        WHERE w.album_fk OPERATOR(pg_catalog.=) g.album_pk
          AND w.album_fk OPERATOR(pg_catalog.>=) g.album_pk
          AND w.album_fk OPERATOR(pg_catalog.<=) g.album_pk
          AND ($3::pg_catalog.text IS NULL OR w.url OPERATOR(pg_catalog.=) $3::pg_catalog.text)
        OFFSET 0
    ) AS w
),
page AS (
    SELECT *
    FROM matching
    ORDER BY creation_time DESC, pk DESC
    LIMIT $4::bigint OFFSET $5::bigint
)
SELECT g.user_known,
       g.member,
       g.admin,
       (SELECT pg_catalog.count(*) FROM matching) AS total,
       p.id::pg_catalog.text,
       p.url::pg_catalog.text,
       p.name::pg_catalog.text,
       p.use_secret,
       p.new_series,
       p.remove_series,
       p.new_user,
       p.delete_album,
       p.enabled,
       fired.number_of_triggers,
       CASE WHEN fired.newest IS NULL THEN fired.ids ELSE ARRAY(
           SELECT t.id::pg_catalog.text
           FROM webhook_triggers AS t
           WHERE t.pk OPERATOR(pg_catalog.=) ANY (fired.newest)
           ORDER BY t.pk DESC
       ) END AS last_trigger_ids,
       CASE WHEN fired.newest IS NULL THEN fired.passes ELSE ARRAY(
           SELECT EXISTS (
                      SELECT
                      FROM webhook_attempts AS a
                      WHERE a.webhook_trigger_fk OPERATOR(pg_catalog.=) n.pk
                        AND a.webhook_trigger_fk OPERATOR(pg_catalog.>=) n.pk
                        AND a.webhook_trigger_fk OPERATOR(pg_catalog.<=) n.pk
                        AND a.status OPERATOR(pg_catalog.>=) 200 AND a.status OPERATOR(pg_catalog.<=) 299
                  )
           FROM pg_catalog.unnest(fired.newest) AS n (pk)
       ) END AS last_trigger_passes,
       (SELECT c.oid::bigint
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.relname OPERATOR(pg_catalog.=) 'ready'
          AND n.nspname OPERATOR(pg_catalog.=) 'kheops_webhooks_accelerate'
          AND 4 OPERATOR(pg_catalog.=) (
              SELECT pg_catalog.count(*)
              FROM pg_catalog.pg_trigger AS t
              WHERE t.tgrelid OPERATOR(pg_catalog.=) 'webhook_triggers'::pg_catalog.regclass
                AND pg_catalog.starts_with(t.tgname::pg_catalog.text, 'kheops_webhooks_count_')
                AND t.tgenabled OPERATOR(pg_catalog.=) 'A'
          )) AS accelerated
FROM gate AS g
LEFT JOIN page AS p ON true
LEFT JOIN LATERAL (
    SELECT history.number_of_triggers, recent.ids, recent.passes,
           CASE
               WHEN history.number_of_triggers OPERATOR(pg_catalog.<=) 250 THEN NULL
               WHEN recent.fifth OPERATOR(pg_catalog.>=) (
                   (SELECT t.pk FROM webhook_triggers AS t ORDER BY t.pk DESC LIMIT 1)
                   OPERATOR(pg_catalog.-) (history.number_of_triggers OPERATOR(pg_catalog.-) 1)
               )
               THEN ARRAY(
                   SELECT t.pk
                   FROM webhook_triggers AS t
                   WHERE t.pk OPERATOR(pg_catalog.>=) recent.fifth
                     AND t.pk OPERATOR(pg_catalog.<=) 9223372036854775807
                     AND (t.webhook_fk OPERATOR(pg_catalog.+) 0) OPERATOR(pg_catalog.=) p.pk
                   ORDER BY t.pk DESC
                   LIMIT 5
               )
               ELSE ARRAY(
                   SELECT o.pk
                   FROM (
                       SELECT t.pk
                       FROM webhook_triggers AS t
                       WHERE t.webhook_fk OPERATOR(pg_catalog.>=) p.pk
                         AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
                         AND t.pk OPERATOR(pg_catalog.>=) coalesce(recent.fifth, t.pk)
                       ORDER BY t.webhook_fk DESC
                       LIMIT history.number_of_triggers
                   ) AS o
                   ORDER BY o.pk DESC
                   LIMIT 5
               )
           END AS newest
    FROM (
        SELECT pg_catalog.count(*) AS number_of_triggers
        FROM webhook_triggers AS t
        WHERE t.webhook_fk OPERATOR(pg_catalog.=) p.pk
          AND t.webhook_fk OPERATOR(pg_catalog.>=) p.pk
          AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
    ) AS history
    CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(n.id::pg_catalog.text) AS ids,
               pg_catalog.array_agg(EXISTS (
                   SELECT
                   FROM webhook_attempts AS a
                   WHERE a.webhook_trigger_fk OPERATOR(pg_catalog.=) n.pk
                     AND a.webhook_trigger_fk OPERATOR(pg_catalog.>=) n.pk
                     AND a.webhook_trigger_fk OPERATOR(pg_catalog.<=) n.pk
                     AND a.status OPERATOR(pg_catalog.>=) 200 AND a.status OPERATOR(pg_catalog.<=) 299
               )) AS passes,
               pg_catalog.min(n.pk) AS fifth
        FROM (
            SELECT r.pk, r.id
            FROM (
                SELECT t.pk, t.id
                FROM webhook_triggers AS t
                WHERE t.webhook_fk OPERATOR(pg_catalog.>=) p.pk
                  AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
                ORDER BY t.webhook_fk DESC
                LIMIT least(history.number_of_triggers, 250)
            ) AS r
            ORDER BY r.pk DESC
            LIMIT 5
        ) AS n
    ) AS recent
    OFFSET 0
) AS fired ON p.pk IS NOT NULL
ORDER BY p.creation_time DESC, p.pk DESC
