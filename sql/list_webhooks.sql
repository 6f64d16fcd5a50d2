-- SPDX-License-Identifier: MIT
-- Answers one request: whether the caller may list the album's webhooks (gates 7 to 9), one page of
-- them and their total, in one round trip and one snapshot. Built into the program from this file and
-- prepared once per connection.
--
-- Parameters: $1 text    the caller's sub            $2 text    the album's id
--             $3 text    only this URL, or NULL      $4 bigint  limit, or NULL
--             $5 bigint  offset
-- The result has at least one row. user_known, member and admin are the results of the gates; total is
-- valid for an administrator only. When the page is empty, the only row has NULL from id to
-- last_trigger_passes. last_trigger_ids and last_trigger_passes are parallel, newest first, NULL
-- without triggers. accelerated identifies the count of accelerate.sql by the oid of its table ready;
-- it is NULL if that is missing, or a trigger that keeps the count is missing or disabled. Otherwise the
-- program may send list_webhooks_accelerated.sql, which checks whether the count is in force.
--
-- Every operator, function, type and catalog is named with its schema, so that no object of another
-- role is used instead; only the tables are found by the search_path (README.md, "Names"). BETWEEN, IN,
-- LIKE and USING cannot name a schema and are not used. The notes below omit the schemas.
--
-- Why this form: the only index on the history is webhook_triggers (webhook_fk), a history can be
-- long and of any shape, and the plan is the generic one, made without knowing the webhook.
--   x = y AND x >= y AND x <= y
--       The planner expects "=" alone to match as many rows as the average value of the column: all
--       when one webhook has the whole history, and then a webhook without triggers costs a scan of the
--       table. It expects a range between unknown bounds to match 0.5 %, whatever the statistics say,
--       and uses the index; "=" beside the range makes the estimate, and the cost, smaller still.
--   recent
--       The last 250 triggers by index. A short history has no others, and nothing else is read. The
--       index holds the rows of one webhook in the order of the table, so the last are usually the
--       newest; but a backward scan returns a posting list, of at most 222 rows, in ascending order
--       (PostgreSQL 13 and later). 250 rows contain such a list whole.
--   newest
--       The keys of the newest five of a long history; NULL where recent has them all. The fifth key of
--       recent is a lower bound of them. If fewer keys lie between it and the end of the table than this
--       webhook has triggers, the primary key is read backward until five are found. Otherwise this
--       webhook's own triggers are read, of which the bound leaves few to sort.
--       A branch of CASE that is not chosen is not executed.
--   last - (number_of_triggers - 1)
--       Cannot overflow, whatever the keys are: that many different keys are not above the last.
--   t.pk >= recent.fifth AND t.pk <= 9223372036854775807, t.webhook_fk + 0
--       "+ 0" leaves the primary key as the only index; the upper bound excludes nothing, but makes the
--       condition a range.
--   ORDER BY t.webhook_fk DESC with LIMIT
--       Reads that index from its end, row by row. For many rows PostgreSQL would otherwise make a
--       bitmap, which keeps pages instead of rows when it is larger than work_mem; in a mixed history
--       these are all pages, for each webhook again. With "=" beside the range, the planner would drop
--       the order as redundant. LIMIT number_of_triggers excludes nothing; like least(), it is no
--       constant, so the planner expects to read a tenth of the rows and prefers the order of the index.
--   t.pk >= coalesce(recent.fifth, t.pk)
--       t.pk on the right makes this a filter: the planner cannot use the primary key here.
--   MATERIALIZED, OFFSET 0, LATERAL
--       Keep the parts separate, so that each runs with the values of the part before it. Unless the
--       caller is an administrator, album_pk is NULL and no part after gate reads any table page.
--   array_agg without an order of its own
--       Takes the rows in the order of the subquery, which is its only input.
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
