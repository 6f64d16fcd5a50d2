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
--   bound
--       Of a long history, the count can be read from the index, and reading the rows would be what
--       costs most. The fifth newest of any of its rows is a lower bound to what can be among the
--       newest five, and the last rows by index are usually the very newest. is_near: from there to
--       the end of the table are fewer triggers, of whatever webhook, than this one has; then they
--       are walked, and the walk ends at the fifth. Else its own rows are read, and next to nothing
--       is left to sort.
--   t.pk >= bound.pk AND t.pk <= bound.last, t.webhook_fk + 0
--       The walk is on the primary key, and only there. Without its lower end it would go through the
--       whole table for a webhook whose triggers are old or few.
--   ORDER BY t.webhook_fk DESC with LIMIT
--       Reads that index from its end, row by row: of many rows, PostgreSQL would otherwise make a
--       bitmap, which forgets the rows and keeps the pages when it is larger than work_mem; in a mixed
--       history these are all pages, for each webhook again. The limit cuts nothing off. With "="
--       beside the range the order would mean nothing and be dropped.
--   t.pk >= coalesce(bound.pk, t.pk)
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
       history.number_of_triggers,
       newest.ids AS last_trigger_ids,
       newest.passes AS last_trigger_passes,
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
    SELECT pg_catalog.count(*) AS number_of_triggers
    FROM webhook_triggers AS t
    WHERE t.webhook_fk OPERATOR(pg_catalog.=) p.pk
      AND t.webhook_fk OPERATOR(pg_catalog.>=) p.pk AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
) AS history ON p.pk IS NOT NULL
LEFT JOIN LATERAL (
    SELECT s.pk, l.pk AS last,
           (l.pk OPERATOR(pg_catalog.-) s.pk)
               OPERATOR(pg_catalog.<) history.number_of_triggers AS is_near
    FROM (
        SELECT t.pk
        FROM webhook_triggers AS t
        WHERE t.webhook_fk OPERATOR(pg_catalog.>=) p.pk
          AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
        ORDER BY t.webhook_fk DESC
        LIMIT 50
    ) AS s, (SELECT pg_catalog.max(pk) AS pk FROM webhook_triggers) AS l
    ORDER BY s.pk DESC
    LIMIT 1 OFFSET 4
) AS bound ON history.number_of_triggers OPERATOR(pg_catalog.>) 1000
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(n.id::pg_catalog.text) AS ids,
           pg_catalog.array_agg(EXISTS (
               SELECT
               FROM webhook_attempts AS a
               WHERE a.webhook_trigger_fk OPERATOR(pg_catalog.=) n.pk
                 AND a.webhook_trigger_fk OPERATOR(pg_catalog.>=) n.pk
                 AND a.webhook_trigger_fk OPERATOR(pg_catalog.<=) n.pk
                 AND a.status OPERATOR(pg_catalog.>=) 200 AND a.status OPERATOR(pg_catalog.<=) 299
           )) AS passes
    FROM (
        (SELECT t.pk, t.id
         FROM webhook_triggers AS t
         WHERE bound.is_near
           AND t.pk OPERATOR(pg_catalog.>=) bound.pk AND t.pk OPERATOR(pg_catalog.<=) bound.last
           AND (t.webhook_fk OPERATOR(pg_catalog.+) 0) OPERATOR(pg_catalog.=) p.pk
         ORDER BY t.pk DESC
         LIMIT 5)
        UNION ALL
        (SELECT o.pk, o.id
         FROM (
             SELECT t.pk, t.id
             FROM webhook_triggers AS t
             WHERE bound.is_near IS NOT true
               AND t.webhook_fk OPERATOR(pg_catalog.>=) p.pk
               AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
               AND t.pk OPERATOR(pg_catalog.>=) coalesce(bound.pk, t.pk)
             ORDER BY t.webhook_fk DESC
             LIMIT history.number_of_triggers
         ) AS o
         ORDER BY o.pk DESC
         LIMIT 5)
    ) AS n
) AS newest ON true
ORDER BY p.creation_time DESC, p.pk DESC
