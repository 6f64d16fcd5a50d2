-- SPDX-License-Identifier: MIT
-- The functions with which scripts/bench makes its data, for a database with sql/schema.sql: call
-- add_album() for each album, then make_histories() once. "admin" administers every album.

-- Skips the foreign key checks, which would take most of the time.
SET session_replication_role = replica;

-- How many triggers make_histories() gives each webhook.
CREATE TABLE histories (webhook_fk bigint PRIMARY KEY, triggers bigint NOT NULL);

CREATE FUNCTION new_album(album text) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO albums (id, name, created_time, last_event_time, add_user_permission,
                        download_series_permission, send_series_permission,
                        delete_series_permission, add_series_permission, write_comments_permission)
    VALUES (album, 'Album ' || album, now(), now(), true, true, true, true, true, true)
    RETURNING pk
$$;

CREATE FUNCTION add_user(sub text) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO users (sub, inbox_fk) VALUES (sub, new_album(substr(md5(sub), 1, 10))) RETURNING pk
$$;

CREATE FUNCTION add_member(album_fk bigint, user_fk bigint, admin boolean) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO album_user (album_fk, user_fk, admin, new_series_notifications,
                            new_comment_notifications, favorite)
    VALUES (album_fk, user_fk, admin, true, true, false)
$$;

SELECT add_user('admin');

-- Adds an album with this many webhooks; each gets this many triggers.
CREATE FUNCTION add_album(album text, webhooks bigint, triggers bigint) RETURNS void
LANGUAGE sql AS $$
    SELECT add_member(new_album(album), u.pk, true) FROM users AS u WHERE u.sub = 'admin';
    WITH made AS (
        INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, secret, new_series,
                              new_user, album_fk)
        SELECT album || lpad(n::text, 10, '0'), 'Webhook ' || n,
               'https://' || album || '.example.org/webhooks/' || n, n % 10 <> 0,
               '2020-01-01'::timestamp + n * interval '1 hour', u.pk,
               CASE WHEN n % 2 = 0 THEN 'a secret' END, true, n % 3 = 0, a.pk
        FROM albums AS a, users AS u, generate_series(1, webhooks) AS n
        WHERE a.id = album AND u.sub = 'admin'
        ORDER BY n
        RETURNING pk
    )
    INSERT INTO histories SELECT pk, triggers FROM made
$$;

-- Makes the triggers of all webhooks in turn, as a real Kheops does: each of 100 stretches of time has a
-- hundredth of each history, and the rows of the webhooks are mixed in the table.
CREATE PROCEDURE make_histories() LANGUAGE plpgsql AS $$
DECLARE
    stretches CONSTANT bigint := 100;
BEGIN
    ALTER TABLE webhook_triggers DROP CONSTRAINT webhook_triggers_id_unique; -- added again below
    FOR stretch IN 1 .. stretches LOOP
        WITH fired AS (
            INSERT INTO webhook_triggers (id, webhook_fk, is_manual_trigger, new_series, new_user)
            SELECT substr(md5(random()::text || n), 1, 30), h.webhook_fk, false, true, false
            FROM histories AS h,
                 generate_series((stretch - 1) * h.triggers / stretches + 1,
                                 stretch * h.triggers / stretches) AS n
            ORDER BY n::float8 / h.triggers, h.webhook_fk
            RETURNING pk
        )
        INSERT INTO webhook_attempts (status, "time", webhook_trigger_fk, attempt)
        SELECT CASE WHEN pk % 4 = 0 THEN 500 ELSE 200 END, now(), pk, 1 FROM fired;
    END LOOP;
    ALTER TABLE webhook_triggers ADD CONSTRAINT webhook_triggers_id_unique UNIQUE (id);
    DROP TABLE histories;
END
$$;
