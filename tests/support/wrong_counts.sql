-- SPDX-License-Identifier: MIT
-- The webhooks whose count in sql/accelerate.sql's tables differs from the number of their triggers.
SELECT webhook_fk, t.n AS triggers, c.n AS counted
FROM (SELECT webhook_fk, count(*) AS n FROM public.webhook_triggers GROUP BY webhook_fk) AS t
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
) AS c USING (webhook_fk)
WHERE coalesce(t.n, 0) <> coalesce(c.n, 0) AND webhook_fk IS NOT NULL
