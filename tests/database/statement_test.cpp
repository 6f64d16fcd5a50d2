// SPDX-License-Identifier: MIT

// The results of sql/list_webhooks.sql and sql/list_webhooks_accelerated.sql on small data.

#include <gtest/gtest.h>

#include "support/database.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"

namespace kheops::test {
namespace {

using Strings = std::vector<std::string>;

/// The columns of a new webhook that a test can choose; the others have fixed values.
struct NewWebhook {
    std::string url = "https://example.org/hook";
    std::string name = "a webhook";
    std::string creation_time = "2024-01-01";
    std::optional<std::string> secret = {};
};

/// An album with administrator "admin" and member "member"; "stranger" is in another album only.
class ListStatement : public testing::TestWithParam<const char*> {
  protected:
    static void SetUpTestSuite() {
        database_ = std::make_unique<TestDatabase>(std::vector<std::string>{"sql/schema.sql"});
        expect_script("sql/accelerate.sql", *database_, "the list is accelerated");
    }
    static void TearDownTestSuite() { database_.reset(); }

    /// Each test is one transaction, which is rolled back.
    ListStatement() : connection_(database_->conninfo()) {
        connection_.execute("BEGIN");
        for (const char* sub : {"admin", "member", "stranger"}) {
            add_user(sub);
        }
        add_album(kAlbum);
        add_album("OtherAlbum");
        add_member(kAlbum, "admin", true);
        add_member(kAlbum, "member", false);
        add_member("OtherAlbum", "stranger", true);
        prepare_list(connection_, GetParam());
    }

    void add_album(const std::string& id) {
        connection_.execute(
            "INSERT INTO albums (id, name, created_time, last_event_time, add_user_permission, "
            "download_series_permission, send_series_permission, delete_series_permission, "
            "add_series_permission, write_comments_permission) "
            "VALUES ($1, 'album', now(), now(), true, true, true, true, true, true)",
            {id});
    }

    /// Adds a user and the user's inbox, whose id is "inbox:" and the sub.
    void add_user(const std::string& sub) {
        add_album("inbox:" + sub);
        connection_.execute(
            "INSERT INTO users (sub, inbox_fk) SELECT $1, pk FROM albums "
            "WHERE id = 'inbox:' || $1::varchar",
            {sub});
        add_member("inbox:" + sub, sub, true);
    }

    void add_member(const std::string& album, const std::string& sub, bool admin) {
        connection_.execute(
            "INSERT INTO album_user (album_fk, user_fk, admin, new_series_notifications, "
            "new_comment_notifications, favorite) SELECT a.pk, u.pk, $3, false, false, false "
            "FROM albums a, users u WHERE a.id = $1 AND u.sub = $2",
            {album, sub, admin ? "true" : "false"});
    }

    void add_webhook(const std::string& id, const std::string& album = kAlbum,
                     const NewWebhook& webhook = {}) {
        connection_.execute(
            "INSERT INTO webhooks (id, url, name, creation_time, secret, enabled, new_series, "
            "new_user, user_fk, album_fk) SELECT $1, $3, $4, $5, $6, true, true, false, "
            "(SELECT min(pk) FROM users), pk FROM albums WHERE id = $2",
            {id, album, webhook.url, webhook.name, webhook.creation_time, webhook.secret});
    }

    /// Adds a trigger with one attempt for each of `statuses`, an SQL list such as "200, NULL".
    void add_trigger(const std::string& id, const std::string& webhook,
                     const std::string& statuses = "") {
        connection_.execute(
            "WITH t AS (INSERT INTO webhook_triggers (id, webhook_fk, is_manual_trigger, "
            "new_series, new_user) SELECT $1, pk, false, true, false FROM webhooks WHERE id = $2 "
            "RETURNING pk) "
            "INSERT INTO webhook_attempts (status, time, webhook_trigger_fk, attempt) "
            "SELECT s.status, now(), t.pk, s.attempt FROM t, "
            "unnest(ARRAY[" +
                statuses + "]::bigint[]) WITH ORDINALITY AS s (status, attempt)",
            {id, webhook});
    }

    Rows ask(const ListRequest& request) { return list(connection_, request); }

    /// user_known, member and admin of the first row, such as "ttf".
    std::string gates(const ListRequest& request) {
        const Rows rows = ask(request);
        return rows.text(0, "user_known") + rows.text(0, "member") + rows.text(0, "admin");
    }

    Strings ids(const ListRequest& request) {
        const Rows rows = ask(request);
        Strings all;
        for (int row = 0; row < rows.count(); ++row) {
            if (!rows.text(row, "id").empty()) {
                all.push_back(rows.text(row, "id"));
            }
        }
        return all;
    }

    /// Expects the one row of a page without webhooks.
    void expect_empty_page(const ListRequest& request, const std::string& total) {
        const Rows rows = ask(request);
        EXPECT_EQ(rows.dump(), "t|t|t|" + total +
                                   "|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|" +
                                   accelerated_of(connection_) + "\n");
    }

    /// The column `accelerated` of both statements in this database.
    static std::string accelerated_of(TestConnection& connection) {
        return connection.execute("SELECT 'kheops_webhooks_accelerate.ready'::regclass::oid")
            .text(0, 0);
    }

    static constexpr const char* kAlbum = "TheAlbum01";

    static std::unique_ptr<TestDatabase> database_;
    TestConnection connection_;
};

std::unique_ptr<TestDatabase> ListStatement::database_;

TEST_P(ListStatement, EachGateHasItsColumn) {
    add_webhook("webhook");
    EXPECT_EQ(gates({"admin", kAlbum}), "ttt");
    EXPECT_EQ(gates({"member", kAlbum}), "ttf");
    EXPECT_EQ(gates({"stranger", kAlbum}), "tff");
    EXPECT_EQ(gates({"admin", "NoAlbum001"}), "tff");
    EXPECT_EQ(gates({"nobody", kAlbum}), "fff");
    EXPECT_EQ(gates({"nobody", "NoAlbum001"}), "fff");
}

TEST_P(ListStatement, UserAndAlbumAreComparedExactly) {
    for (const char* sub : {"Admin", "admin ", " admin", "adm%", "_dmin", "", "inbox:admin"}) {
        EXPECT_EQ(gates({sub, kAlbum}), "fff") << sub;
    }
    for (const char* album : {"thealbum01", "TheAlbum01 ", "TheAlbum__", "", "album"}) {
        EXPECT_EQ(gates({"admin", album}), "tff") << album;
    }
}

TEST_P(ListStatement, OnlyAnAdministratorGetsWebhooks) {
    add_webhook("webhook");
    add_trigger("trigger", "webhook", "200");
    for (const char* sub : {"member", "stranger", "nobody"}) {
        const Rows rows = ask({sub, kAlbum});
        ASSERT_EQ(rows.count(), 1) << sub;
        EXPECT_EQ(rows.text(0, "total"), "0") << sub;
        for (int column = 4; column < rows.columns() - 1; ++column) {
            EXPECT_TRUE(rows.is_null(0, column)) << sub << " " << column;
        }
    }
}

TEST_P(ListStatement, TheUsersOwnInboxIsNotAnAlbum) {
    add_webhook("webhook", "inbox:admin");
    EXPECT_EQ(gates({"admin", "inbox:admin"}), "tff");
    EXPECT_EQ(ids({"admin", "inbox:admin"}), Strings{});
}

TEST_P(ListStatement, AnotherUsersInboxIsAnAlbumForItsMembers) {
    add_webhook("webhook", "inbox:member");
    EXPECT_EQ(gates({"admin", "inbox:member"}), "tff");
    add_member("inbox:member", "admin", false);
    EXPECT_EQ(gates({"admin", "inbox:member"}), "ttf");
    add_member("inbox:member", "stranger", true);
    EXPECT_EQ(gates({"stranger", "inbox:member"}), "ttt");
    EXPECT_EQ(ids({"stranger", "inbox:member"}), Strings{"webhook"});
}

TEST_P(ListStatement, OnlyTheAlbumsOwnWebhooksAreListed) {
    add_webhook("mine");
    add_webhook("other", "OtherAlbum");
    add_trigger("trigger", "other", "200");
    EXPECT_EQ(ids({"admin", kAlbum}), Strings{"mine"});
    const Rows rows = ask({"admin", kAlbum});
    EXPECT_EQ(rows.text(0, "total"), "1");
    EXPECT_EQ(rows.text(0, "number_of_triggers"), "0");
}

TEST_P(ListStatement, AnAlbumWithoutWebhooksHasOneEmptyRow) {
    expect_empty_page({"admin", kAlbum}, "0");
}

TEST_P(ListStatement, ColumnsHaveTheTypesTheProgramReads) {
    connection_.execute("CREATE TEMPORARY TABLE answer AS EXECUTE list('', '', NULL, NULL, 0)");
    EXPECT_EQ(connection_
                  .execute("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), "
                           "', ' ORDER BY attnum) FROM pg_attribute "
                           "WHERE attrelid = 'answer'::regclass AND attnum > 0")
                  .text(0, 0),
              "user_known boolean, member boolean, admin boolean, total bigint, id text, url text, "
              "name text, use_secret boolean, new_series boolean, remove_series boolean, "
              "new_user boolean, delete_album boolean, enabled boolean, "
              "number_of_triggers bigint, last_trigger_ids text[], last_trigger_passes boolean[], "
              "accelerated bigint");
}

TEST_P(ListStatement, WebhooksAreSortedByTimeAndThenKeyNewestFirst) {
    add_webhook("old", kAlbum, {.creation_time = "2020-01-01"});
    add_webhook("same 1", kAlbum, {.creation_time = "2021-01-01 00:00:00.000001"});
    add_webhook("new", kAlbum, {.creation_time = "2022-01-01"});
    add_webhook("same 2", kAlbum, {.creation_time = "2021-01-01 00:00:00.000001"});
    add_webhook("same 3", kAlbum, {.creation_time = "2021-01-01 00:00:00.000001"});
    const Strings all = {"new", "same 3", "same 2", "same 1", "old"};
    EXPECT_EQ(ids({"admin", kAlbum}), all);

    Strings paged;
    for (std::int64_t offset = 0; offset < 6; offset += 2) {
        for (const std::string& id : ids({"admin", kAlbum, {}, 2, offset})) {
            paged.push_back(id);
        }
    }
    EXPECT_EQ(paged, all);
}

TEST_P(ListStatement, LimitAndOffsetDoNotChangeTheTotal) {
    for (int i = 0; i < 4; ++i) {
        add_webhook("webhook " + std::to_string(i), kAlbum,
                    {.creation_time = "2024-01-0" + std::to_string(9 - i)});
    }
    expect_empty_page({"admin", kAlbum, {}, 0}, "4");
    expect_empty_page({"admin", kAlbum, {}, {}, 4}, "4");
    expect_empty_page({"admin", kAlbum, {}, 10, 2147483647}, "4");
    EXPECT_EQ(ids({"admin", kAlbum, {}, 2147483647, 3}), Strings{"webhook 3"});
    EXPECT_EQ(ids({"admin", kAlbum, {}, {}, 2}), (Strings{"webhook 2", "webhook 3"}));
    EXPECT_EQ(ids({"admin", kAlbum, {}, 2, 1}), (Strings{"webhook 1", "webhook 2"}));
    const Rows rows = ask({"admin", kAlbum, {}, 1, 1});
    ASSERT_EQ(rows.count(), 1);
    EXPECT_EQ(rows.text(0, "total"), "4");
}

TEST_P(ListStatement, TheUrlFilterIsExactAndTheTotalCountsAllMatches) {
    const std::string url = "https://example.org/a?b=%_'\"\\ c";
    add_webhook("1", kAlbum, {.url = url, .creation_time = "2024-01-01"});
    add_webhook("2", kAlbum, {.url = "https://example.org/other", .creation_time = "2024-01-02"});
    add_webhook("3", kAlbum, {.url = url, .creation_time = "2024-01-03"});
    add_webhook("4", "OtherAlbum", {.url = url});
    add_webhook("5", kAlbum, {.url = "", .creation_time = "2024-01-05"});
    EXPECT_EQ(ids({"admin", kAlbum, url}), (Strings{"3", "1"}));
    EXPECT_EQ(ids({"admin", kAlbum, url, 1, 1}), Strings{"1"});
    EXPECT_EQ(ask({"admin", kAlbum, url, 1, 1}).text(0, "total"), "2");
    EXPECT_EQ(ids({"admin", kAlbum, ""}), Strings{"5"});
    for (const char* other :
         {"https://example.org", "HTTPS://example.org/other", "%", "https://example.org/other "}) {
        expect_empty_page({"admin", kAlbum, other}, "0");
    }
}

TEST_P(ListStatement, EachFlagHasItsColumn) {
    for (const char* flag :
         {"new_series", "remove_series", "new_user", "delete_album", "enabled"}) {
        add_webhook(flag);
        connection_.execute("UPDATE webhooks SET new_series = false, enabled = false");
        connection_.execute(std::string("UPDATE webhooks SET ") + flag + " = true WHERE id = $1",
                            {flag});
        const Rows rows = ask({"admin", kAlbum});
        for (const char* column :
             {"new_series", "remove_series", "new_user", "delete_album", "enabled"}) {
            EXPECT_EQ(rows.text(0, column), column == std::string(flag) ? "t" : "f")
                << flag << " " << column;
        }
        connection_.execute("DELETE FROM webhooks");
    }
}

TEST_P(ListStatement, UseSecretIsTrueForAnySecretEvenAnEmptyOne) {
    add_webhook("1 none", kAlbum, {.secret = std::nullopt});
    EXPECT_EQ(ask({"admin", kAlbum}).text(0, "use_secret"), "f");
    connection_.execute("UPDATE webhooks SET secret = 'geheim'");
    EXPECT_EQ(ask({"admin", kAlbum}).text(0, "use_secret"), "t");
    EXPECT_EQ(ask({"admin", kAlbum}).dump().find("geheim"), std::string::npos);
    connection_.execute("UPDATE webhooks SET secret = ''");
    EXPECT_EQ(ask({"admin", kAlbum}).text(0, "use_secret"), "t");
}

TEST_P(ListStatement, AllCharactersAreReturnedUnchanged) {
    std::string controls;
    for (char c = 1; c < 32; ++c) {
        controls += c;
    }
    const std::string text = "'\"\\{},()$1 --/*" + controls +
                             "\x7F\xC2\x85\xC3\xA9\xE2\x80\xA8\xEF\xBF\xBF\xF0\x9F\x98\x80";
    std::string long_url;
    for (int i = 0; i < 1024; ++i) {
        long_url += "\xF4\x8F\xBF\xBD";
    }
    add_user("sub" + text);
    add_member(kAlbum, "sub" + text, true);
    add_webhook("id'\"\\{}\xF0\x9F\x98\x80", kAlbum, {.url = long_url, .name = text});
    add_trigger("trigger'\"\\{,}\xF0\x9F\x98\x80", "id'\"\\{}\xF0\x9F\x98\x80", "200");
    const Rows rows = ask({"sub" + text, kAlbum, long_url});
    ASSERT_EQ(rows.count(), 1);
    EXPECT_EQ(rows.text(0, "id"), "id'\"\\{}\xF0\x9F\x98\x80");
    EXPECT_EQ(rows.text(0, "name"), text);
    EXPECT_EQ(rows.text(0, "url"), long_url);
    // PostgreSQL's text form of an array with one element that needs quotes.
    EXPECT_EQ(rows.text(0, "last_trigger_ids"), "{\"trigger'\\\"\\\\{,}\xF0\x9F\x98\x80\"}");
}

TEST_P(ListStatement, TheFiveNewestTriggersAreListedNewestFirst) {
    add_webhook("webhook");
    add_webhook("another", kAlbum, {.creation_time = "2000-01-01"});
    const Strings expected = {"",          "{1}",         "{2,1}",      "{3,2,1}",
                              "{4,3,2,1}", "{5,4,3,2,1}", "{6,5,4,3,2}"};
    for (size_t n = 0; n < expected.size(); ++n) {
        if (n > 0) {
            add_trigger(std::to_string(n), "webhook", "200");
            add_trigger("other " + std::to_string(n), "another", "200");
        }
        const Rows rows = ask({"admin", kAlbum});
        EXPECT_EQ(rows.text(0, "number_of_triggers"), std::to_string(n));
        EXPECT_EQ(rows.text(0, "last_trigger_ids"), expected[n]);
        EXPECT_EQ(rows.is_null(0, 14), n == 0);
        EXPECT_EQ(rows.is_null(0, 15), n == 0);
    }
}

TEST_P(ListStatement, ATriggerPassesWithOneAttemptFrom200To299) {
    add_webhook("webhook");
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "f"},         {"NULL", "f"},         {"-1", "f"},           {"0", "f"},
        {"199", "f"},      {"200", "t"},          {"299", "t"},          {"300", "f"},
        {"404,500", "f"},  {"500,200", "t"},      {"204,500", "t"},      {"NULL,201", "t"},
        {"200,NULL", "t"}, {"-1,-1,-1", "f"},     {"100,300,NULL", "f"}, {"2000,20,2", "f"},
        {"200,200", "t"},  {"199,300,-200", "f"},
    };
    for (const auto& [statuses, passes] : cases) {
        add_trigger("with " + statuses, "webhook", statuses);
        const std::string outcomes = ask({"admin", kAlbum}).text(0, "last_trigger_passes");
        EXPECT_EQ(outcomes.substr(1, 1), passes) << statuses;
    }
    // Of the five newest triggers, each result belongs to its id.
    const Rows rows = ask({"admin", kAlbum});
    EXPECT_EQ(rows.text(0, "last_trigger_ids"),
              "{\"with 199,300,-200\",\"with 200,200\",\"with 2000,20,2\",\"with 100,300,NULL\","
              "\"with -1,-1,-1\"}");
    EXPECT_EQ(rows.text(0, "last_trigger_passes"), "{f,t,f,f,f}");
}

/// PostgreSQL reuses space: the position of a row in the table and the index does not show its age.
TEST_P(ListStatement, TheNewestTriggersOfALongHistoryAreFoundInAnyRowOrder) {
    add_webhook("webhook");
    const std::string insert =
        "INSERT INTO webhook_triggers (pk, id, webhook_fk, new_series, new_user) SELECT n, n, "
        "(SELECT min(pk) FROM webhooks), true, false FROM generate_series(1, 3000) AS n ORDER BY ";
    for (const char* order : {"n", "n DESC", "md5(n::text)", "n % 5, n DESC", "n <> 2998, n"}) {
        connection_.execute("TRUNCATE webhook_triggers, webhook_attempts, webhook_trigger_series");
        connection_.execute(insert + order);
        const Rows rows = ask({"admin", kAlbum});
        EXPECT_EQ(rows.text(0, "number_of_triggers"), "3000") << order;
        EXPECT_EQ(rows.text(0, "last_trigger_ids"), "{3000,2999,2998,2997,2996}") << order;
        // Another webhook has fired since, a few times or more often than this one.
        add_webhook("another of " + std::string(order), "OtherAlbum");
        for (const int since : {10, 4000}) {
            connection_.execute(
                "INSERT INTO webhook_triggers (pk, id, webhook_fk, new_series, new_user) "
                "SELECT 3000 + n, 'since ' || n, (SELECT max(pk) FROM webhooks), true, false "
                "FROM generate_series((SELECT max(pk) - 2999 FROM webhook_triggers), " +
                std::to_string(since) + ") AS n");
            EXPECT_EQ(ask({"admin", kAlbum}).dump(), rows.dump()) << order << " " << since;
        }
    }
}

/// Kheops numbers triggers from 1, but the column is a bigint.
TEST_P(ListStatement, TheNewestTriggersOfALongHistoryAreFoundWithAnyKeys) {
    add_webhook("webhook");
    for (const char* keys : {
             // Only the smallest keys: a bound below the last of them must not overflow.
             "SELECT n, -9223372036854775808 + n FROM generate_series(0, 2999) AS n",
             // Distances greater than the maximum of bigint.
             "SELECT n, CASE WHEN n < 2998 THEN -9223372036854775808 + n "
             "ELSE 9223372036854775807 - (2999 - n) END FROM generate_series(0, 2999) AS n",
             // Half of the keys negative.
             "SELECT n, n - 1500 FROM generate_series(0, 2999) AS n",
             "SELECT n, (n - 1500) * 6148914691236517 FROM generate_series(0, 2999) AS n",
             "SELECT n, 9223372036854775807 - 2999 + n FROM generate_series(0, 2999) AS n",
         }) {
        connection_.execute("TRUNCATE webhook_triggers, webhook_attempts, webhook_trigger_series");
        connection_.execute(
            "INSERT INTO webhook_triggers (pk, id, webhook_fk, new_series, new_user) "
            "SELECT key, n, (SELECT min(pk) FROM webhooks), true, false FROM (" +
            std::string(keys) + ") AS keys (n, key)");
        const Rows rows = ask({"admin", kAlbum});
        EXPECT_EQ(rows.text(0, "number_of_triggers"), "3000") << keys;
        EXPECT_EQ(rows.text(0, "last_trigger_ids"), "{2999,2998,2997,2996,2995}") << keys;
        EXPECT_EQ(rows.text(0, "last_trigger_passes"), "{f,f,f,f,f}") << keys;
    }
}

/// Lengths around the minimum of a long history, with and without later triggers of others.
TEST_P(ListStatement, EachTriggerHasItsOwnResultForAnyLengthOfHistory) {
    add_webhook("webhook");
    add_webhook("another", "OtherAlbum");
    for (const int length : {249, 250, 251, 1000, 1001}) {
        for (const int since : {0, 100, 5000}) {
            connection_.execute(
                "TRUNCATE webhook_triggers, webhook_attempts, webhook_trigger_series");
            connection_.execute(
                "INSERT INTO webhook_triggers (pk, id, webhook_fk, new_series, new_user) "
                "SELECT n, n, (SELECT pk FROM webhooks WHERE id = CASE WHEN n <= $1 "
                "THEN 'webhook' ELSE 'another' END), true, false "
                "FROM generate_series(1, $1::bigint + $2) AS n",
                {std::to_string(length), std::to_string(since)});
            connection_.execute(
                "INSERT INTO webhook_attempts (status, time, webhook_trigger_fk, attempt) "
                "SELECT 200, now(), $1::bigint - n, 1 FROM unnest('{0,2,3}'::bigint[]) AS n",
                {std::to_string(length)});
            const Rows rows = ask({"admin", kAlbum});
            std::string ids;
            for (int i = 0; i < 5; ++i) {
                ids += (i == 0 ? "{" : ",") + std::to_string(length - i);
            }
            EXPECT_EQ(rows.text(0, "number_of_triggers"), std::to_string(length));
            EXPECT_EQ(rows.text(0, "last_trigger_ids"), ids + "}") << length << " " << since;
            EXPECT_EQ(rows.text(0, "last_trigger_passes"), "{t,f,t,t,f}") << length << " " << since;
        }
    }
}

TEST_P(ListStatement, TheExampleDataGivesTheDocumentedExample) {
    TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
    expect_script("sql/accelerate.sql", database, "count: corrected for 2 webhooks");
    TestConnection connection(database.conninfo());
    prepare_list(connection, GetParam());
    EXPECT_EQ(
        list(connection, {"alice", "DemoAlbum1", {}, 2}).dump(),
        "t|t|t|5|QAdfIstxuOvwkcm39WEO|https://webhook.site/123456|a name|f|t|f|t|f|t|11|"
        "{peasMs9OIgbBnIA1na4ANnDj2b4ebl,j3gbeiu78gI78GI87G2WIU278FGbbm,"
        "bmnbmBU78gHizFGgvfi78fvUJzfFZu,jhUIGHiugBIUgvZI8t7g87FVUzfv78,"
        "iugiGi7g7zIGVujzfgG8f67JIup0uj}|{t,f,t,f,f}|" +
            accelerated_of(connection) +
            "\n"
            "t|t|t|5|kCMP3HU3GvcLOl8rNCLQ|https://webhook.site/abcdef|another name|t|t|t|f|f|t|0|"
            "NULL|NULL|" +
            accelerated_of(connection) + "\n");
    EXPECT_EQ(list(connection, {"bob", "DemoAlbum1"}).text(0, "admin"), "f");
    EXPECT_EQ(list(connection, {"bob", "DemoAlbum1"}).text(0, "member"), "t");
    EXPECT_EQ(list(connection, {"carol", "DemoAlbum1"}).text(0, "member"), "f");
}

INSTANTIATE_TEST_SUITE_P(Statements, ListStatement, testing::Values(kStock, kAccelerated),
                         [](const testing::TestParamInfo<const char*>& statement) {
                             return statement.param == std::string(kStock) ? "Stock"
                                                                           : "Accelerated";
                         });

}  // namespace
}  // namespace kheops::test
