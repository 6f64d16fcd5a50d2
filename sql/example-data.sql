-- SPDX-License-Identifier: MIT
-- A small data set for demonstrations and tests. Load it once, after schema.sql:
--     psql -v ON_ERROR_STOP=1 -d DATABASE -f schema.sql -f example-data.sql
-- Never load it into a real Kheops: its users and album would stay there, and no file removes them.
--
-- Album DemoAlbum1 has alice (administrator) and bob (member); carol is no member. The list for alice
-- begins with the example of the API's documentation.
BEGIN;
SET LOCAL client_encoding = 'UTF8';

INSERT INTO albums (id, name, created_time, last_event_time, add_user_permission,
                    download_series_permission, send_series_permission, delete_series_permission,
                    add_series_permission, write_comments_permission)
SELECT id, name, '2024-01-08 09:00', '2024-03-01 12:00', false, true, true, false, true, true
FROM (VALUES ('AliceInbox', 'inbox'),
             ('BobsInbox1', 'inbox'),
             ('CarolInbox', 'inbox'),
             ('DemoAlbum1', 'Knee study')) AS new (id, name);

INSERT INTO users (sub, inbox_fk, email, name)
SELECT new.sub, inbox.pk, new.sub || '@example.org', new.name
FROM (VALUES ('alice', 'AliceInbox', 'Alice'),
             ('bob', 'BobsInbox1', 'Bob'),
             ('carol', 'CarolInbox', 'Carol')) AS new (sub, inbox, name)
JOIN albums AS inbox ON inbox.id = new.inbox;

INSERT INTO album_user (album_fk, user_fk, admin, new_series_notifications,
                        new_comment_notifications, favorite)
SELECT a.pk, u.pk, new.admin, true, true, false
FROM (VALUES ('AliceInbox', 'alice', false),
             ('BobsInbox1', 'bob', false),
             ('CarolInbox', 'carol', false),
             ('DemoAlbum1', 'alice', true),
             ('DemoAlbum1', 'bob', false)) AS new (album, sub, admin)
JOIN albums AS a ON a.id = new.album
JOIN users AS u ON u.sub = new.sub;

INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, secret, new_series,
                      remove_series, new_user, delete_album, album_fk)
SELECT new.id, new.name, new.url, new.enabled, new.made::timestamp, u.pk, new.secret,
       new.new_series, new.remove_series, new.new_user, new.delete_album, a.pk
FROM (VALUES
        ('QAdfIstxuOvwkcm39WEO', 'a name', 'https://webhook.site/123456',
         true, '2024-02-20 10:15:30', NULL, true, false, true, false),
        ('kCMP3HU3GvcLOl8rNCLQ', 'another name', 'https://webhook.site/abcdef',
         true, '2024-02-19 16:02:11', 'a shared secret', true, true, false, false),
        ('Xc4rTq0ZbN7yWm2KdLs9', 'Radiology "on call" – Zürich', 'https://hooks.example.org/pacs?site=zh&kind=knee',
         true, '2024-02-12 08:30:00', NULL, true, true, true, true),
        ('hP8vGe5JuF1oAi6RnBx3', 'switched off', 'https://webhook.site/123456',
         false, '2024-01-30 14:45:00', '', false, false, false, false),
        ('Dz2MwYk7QsCt9Vj4HfE0', 'the first one', 'https://hooks.example.org/first',
         true, '2024-01-09 09:00:00', NULL, false, false, false, true)
     ) AS new (id, name, url, enabled, made, secret, new_series, remove_series, new_user, delete_album)
JOIN users AS u ON u.sub = 'alice'
JOIN albums AS a ON a.id = 'DemoAlbum1';

-- Each trigger with the statuses of its attempts, oldest first: pk decides which are the newest.
CREATE TEMPORARY TABLE new_triggers ON COMMIT DROP AS
SELECT * FROM (VALUES
    ( 1, 'QAdfIstxuOvwkcm39WEO', 'a1GhT7kQzXw3bVn9LsPd5RfYcJm2Eu', '{200}'::bigint[]),
    ( 2, 'QAdfIstxuOvwkcm39WEO', 'b6ZtR2mKqWv8cXn4DsHf1JgYpLe7Au', '{200}'),
    ( 3, 'QAdfIstxuOvwkcm39WEO', 'c3NwE9hJrTy5dBk7GsMa2VfXqPz8Lu', '{202}'),
    ( 4, 'QAdfIstxuOvwkcm39WEO', 'd8KvU4gLpSx6eCm1ZsNb3TfWrQj9Hu', '{503,200}'),
    ( 5, 'QAdfIstxuOvwkcm39WEO', 'e5JxY1fMoRz7gDn2WsKc4UhVtAb6Gu', '{200}'),
    ( 6, 'QAdfIstxuOvwkcm39WEO', 'f2HzB8eNnQw9iFk3VsJd5XgTuCa7Mu', '{404,404,404,404,404}'),
    -- The documentation gives this id 31 characters; the column holds 30.
    ( 7, 'QAdfIstxuOvwkcm39WEO', left('iugiGi7g7zIGVujzfgG8f67JIup0uj9', 30), '{500,500,500,500,500}'),
    ( 8, 'QAdfIstxuOvwkcm39WEO', 'jhUIGHiugBIUgvZI8t7g87FVUzfv78', '{-1,-1,-1,-1,-1}'),
    ( 9, 'QAdfIstxuOvwkcm39WEO', 'bmnbmBU78gHizFGgvfi78fvUJzfFZu', '{-1,503,200}'),
    (10, 'QAdfIstxuOvwkcm39WEO', 'j3gbeiu78gI78GI87G2WIU278FGbbm', '{301,301,301,301,301}'),
    (11, 'QAdfIstxuOvwkcm39WEO', 'peasMs9OIgbBnIA1na4ANnDj2b4ebl', '{200}'),
    (12, 'Xc4rTq0ZbN7yWm2KdLs9', 'k7QsDn2LwGh5VbRy9TzJf4XcMpA1Eu', '{204}'),
    -- Not tried yet.
    (13, 'Xc4rTq0ZbN7yWm2KdLs9', 'm4WtFk8NzJv1XcSy6RbGd3LhQpE9Au', '{}')
) AS new (number, webhook, id, statuses);

INSERT INTO webhook_triggers (id, webhook_fk, is_manual_trigger, new_series, new_user)
SELECT new.id, w.pk, false, true, false
FROM new_triggers AS new
JOIN webhooks AS w ON w.id = new.webhook
ORDER BY new.number;

INSERT INTO webhook_attempts (status, "time", webhook_trigger_fk, attempt)
SELECT s.status, timestamp '2024-03-01 12:00' + new.number * interval '1 hour' + s.attempt * interval '1 minute',
       t.pk, s.attempt
FROM new_triggers AS new
JOIN webhook_triggers AS t ON t.id = new.id
CROSS JOIN LATERAL unnest(new.statuses) WITH ORDINALITY AS s (status, attempt)
ORDER BY new.number, s.attempt;

COMMIT;
