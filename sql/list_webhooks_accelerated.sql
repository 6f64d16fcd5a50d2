-- SPDX-License-Identifier: MIT
-- The question of list_webhooks.sql to a database with accelerate.sql: the same parameters, columns
-- and answers, and what its header says of names and plans holds here too. Prepared once per
-- connection, when the other statement has found a count.
--
-- Where accelerated is NULL, the count is not in force, and the answer must not be used:
-- webhook_triggers is not the table, or webhook_fk not the column, that was counted; a trigger was
-- disabled, missing or restored since (another transaction made it, see accelerate.sql); a writer could
-- not count, or changes came by logical replication; or row level security hides triggers from this
-- role.
--
--   ORDER BY t.webhook_fk, t.pk DESC
--       The order of the index kheops_webhooks_newest, so that the newest five are five steps in it.
--   c.txid >= coalesce(k.changes_from, 0)
--       Earlier changes are in k.n already; their rows stay in the index as long as an old snapshot may
--       need them.
--   webhook_triggers before counts and changes
--       Tables are locked in the order of the text: the one in which writers lock them.
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
       (SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) 1
                     AND pg_catalog.bool_and(
                         r.triggers OPERATOR(pg_catalog.=) 'webhook_triggers'::pg_catalog.regclass
                         AND r.xmin OPERATOR(pg_catalog.=) r.counted_by
                         AND 5 OPERATOR(pg_catalog.=) (
                             SELECT pg_catalog.count(*)
                             FROM pg_catalog.pg_trigger AS t
                             WHERE t.tgrelid OPERATOR(pg_catalog.=) r.triggers
                               AND t.xmin OPERATOR(pg_catalog.=) r.triggers_made_by
                         )
                         AND r.webhook_fk OPERATOR(pg_catalog.=) (
                             SELECT a.attnum
                             FROM pg_catalog.pg_attribute AS a
                             WHERE a.attrelid OPERATOR(pg_catalog.=) r.triggers
                               AND a.attname OPERATOR(pg_catalog.=) 'webhook_fk'
                         )
                         AND NOT pg_catalog.row_security_active(r.triggers)
                         AND NOT EXISTS (SELECT FROM kheops_webhooks_accelerate.doubts)
                     ) THEN pg_catalog.max(r.tableoid)::bigint END
        FROM kheops_webhooks_accelerate.ready AS r) AS accelerated
FROM gate AS g
LEFT JOIN page AS p ON true
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
        SELECT t.pk, t.id
        FROM webhook_triggers AS t
        WHERE t.webhook_fk OPERATOR(pg_catalog.>=) p.pk
          AND t.webhook_fk OPERATOR(pg_catalog.<=) p.pk
        ORDER BY t.webhook_fk, t.pk DESC
        LIMIT 5
    ) AS n
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT coalesce(k.n, 0) OPERATOR(pg_catalog.+) coalesce((
               SELECT pg_catalog.sum(c.n)
               FROM kheops_webhooks_accelerate.changes AS c
               WHERE c.webhook_fk OPERATOR(pg_catalog.=) p.pk
                 AND c.webhook_fk OPERATOR(pg_catalog.>=) p.pk
                 AND c.webhook_fk OPERATOR(pg_catalog.<=) p.pk
                 AND c.txid OPERATOR(pg_catalog.>=) coalesce(k.changes_from, 0)
           ), 0)::bigint AS number_of_triggers
    FROM (VALUES (true)) AS always
    LEFT JOIN kheops_webhooks_accelerate.counts AS k
           ON k.webhook_fk OPERATOR(pg_catalog.=) p.pk
          AND k.webhook_fk OPERATOR(pg_catalog.>=) p.pk AND k.webhook_fk OPERATOR(pg_catalog.<=) p.pk
) AS history ON p.pk IS NOT NULL
ORDER BY p.creation_time DESC, p.pk DESC
