// SPDX-License-Identifier: MIT

// A database that is missing, incomplete, altered, locked or slow.

#include <gtest/gtest.h>

#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

class DatabaseFaults : public testing::Test {
  protected:
    static void expect_unavailable(const HttpAnswer& answer) {
        EXPECT_EQ(answer.status, 503);
        EXPECT_EQ(answer.header("Retry-After"), "1");
        EXPECT_EQ(answer.header("Content-Type"), "application/json");
        EXPECT_EQ(
            answer.body.find("{\"message\":\"Service Unavailable\",\"detail\":\"The database "), 0U)
            << answer.body;
        for (const char* internal : {"webhook", "SELECT", "relation", "users", "socket"}) {
            EXPECT_EQ(answer.body.find(internal), std::string::npos) << answer.body;
        }
    }

    static size_t count(const std::string& text, const std::string& part) {
        size_t found = 0;
        for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
            ++found;
        }
        return found;
    }
};

TEST_F(DatabaseFaults, DatabaseMissingAtTheStartIsUsedOnceItExists) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"});
    site.database().rename_away();
    expect_unavailable(site.get(kList, "alice"));
    expect_unavailable(site.get(kList, "alice"));
    site.database().rename_back();
    await("the list is served", [&] { return site.get(kList, "alice").status == 200; });

    const std::string log = site.worker().log();
    EXPECT_EQ(count(log, "event=database_lost level=error"), 1U) << log;
    EXPECT_EQ(count(log, "event=database_back"), 1U) << log;
}

TEST_F(DatabaseFaults, MissingTablesAreLoggedAndUsedOnceTheyExist) {
    TestSite site({});
    expect_unavailable(site.get(kList, "alice"));
    site.worker().await_log("event=database_lost level=error sqlstate=42P01 reason=\"relation ");
    site.database().load("sql/schema.sql");
    site.database().load("sql/example-data.sql");
    EXPECT_EQ(site.get(kList, "alice").status, 200);
}

TEST_F(DatabaseFaults, MissingPrivilegeIsLoggedAndUsedOnceGranted) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"});
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    const std::string role = "unprivileged_" + std::to_string(::getpid());
    site.database().execute("CREATE ROLE " + role + " LOGIN");
    {
        TestSite unprivileged(
            {}, {{"KHEOPS_WEBHOOKS_DATABASE", site.database().conninfo() + " user=" + role}});
        expect_unavailable(unprivileged.get(kList, "alice"));
        unprivileged.worker().await_log(
            "event=database_lost level=error sqlstate=42501 reason=\"permission denied for ");
        // The line of the refused request has it too.
        unprivileged.worker().await_log(
            "detail=\"The database cannot be reached\" reason=\"permission denied for ");
        site.database().execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role);
        EXPECT_EQ(unprivileged.get(kList, "alice").status, 200);
    }
    site.database().execute("DROP OWNED BY " + role);
    site.database().execute("DROP ROLE " + role);
}

TEST_F(DatabaseFaults, LostConnectionsAreReplacedWithinTheRequest) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {{"KHEOPS_WEBHOOKS_THREADS", "1"}});
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    site.database().terminate_backends();
    EXPECT_EQ(site.get(kList, "alice").status, 200);
}

TEST_F(DatabaseFaults, ConnectionLostDuringAStatementIsReplacedToo) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"},
                  {{"KHEOPS_WEBHOOKS_THREADS", "1"}, {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}});
    const auto lock = site.database().lock_table("webhooks");
    FastCgiClient client(site.worker().socket_path());
    client.send(fastcgi_request(get_parameters(kList, mint_token("alice")), true));
    site.database().await_waiting_backend();
    // This connection ends while the worker waits for its result, not while it is idle.
    site.database().execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'kheops-webhooks'");
    lock->release();
    EXPECT_EQ(status_of(client.receive_answer()), 200) << site.worker().log();
}

TEST_F(DatabaseFaults, AlteredTableIsHandledWithinTheRequest) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {{"KHEOPS_WEBHOOKS_THREADS", "1"}});
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    site.database().execute("ALTER TABLE webhooks ALTER COLUMN name TYPE varchar(300)");
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    site.database().execute("ALTER TABLE webhooks ADD COLUMN later integer");
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    // Only result columns that are cast keep their types. This one changes, and the server refuses
    // the cached plan (0A000).
    site.database().execute("CREATE DOMAIN switch AS boolean");
    site.database().execute("ALTER TABLE webhooks ALTER COLUMN enabled TYPE switch");
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    EXPECT_EQ(site.worker().log().find("event=database_lost"), std::string::npos)
        << site.worker().log();
}

TEST_F(DatabaseFaults, SlowDatabaseIsNotWaitedForBeyondTheBudget) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {{"KHEOPS_WEBHOOKS_TIMEOUT", "0.3"}});
    const auto lock = site.database().lock_table("webhooks");
    const HttpAnswer answer = site.get(kList, "alice");
    expect_unavailable(answer);
    EXPECT_NE(answer.body.find("The database did not answer in time"), std::string::npos);
    lock->release();
    await("the list is served", [&] { return site.get(kList, "alice").status == 200; });
}

TEST_F(DatabaseFaults, LockedTableHoldsOneRequestAndTheOthersGet503AtOnce) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"},
                  {{"KHEOPS_WEBHOOKS_THREADS", "4"}, {"KHEOPS_WEBHOOKS_TIMEOUT", "8"}});
    const auto lock = site.database().lock_table("webhooks");
    expect_unavailable(site.get(kList, "alice"));
    site.worker().await_log("event=database_locked level=warning sqlstate=55P03");

    FastCgiClient waiting(site.worker().socket_path());
    waiting.send(fastcgi_request(get_parameters(kList, mint_token("alice")), true));
    site.database().await_waiting_backend();
    for (int i = 0; i < 50; ++i) {
        expect_unavailable(site.get(kList, "alice"));
        expect_unavailable(site.get("/albums/AliceInbox/webhooks", "alice"));
    }
    lock->release();
    EXPECT_EQ(status_of(waiting.receive_answer()), 200) << site.worker().log();
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    const std::string log = site.worker().log();
    EXPECT_EQ(count(log, "event=database_locked"), 1U) << log;
    EXPECT_EQ(count(log, "event=database_unlocked"), 1U) << log;
    EXPECT_EQ(count(log, "event=database_lost"), 0U) << log;
}

/// The last value of `key` in the log, in milliseconds.
double last_time(const std::string& log, const std::string& key) {
    return std::stod(log.substr(log.rfind(" " + key + "=") + key.size() + 2));
}

TEST_F(DatabaseFaults, DatabaseTimeEndsWhenTheResultIsReceived) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {{"KHEOPS_WEBHOOKS_TIMEOUT", "60"}});
    site.database().execute(
        "INSERT INTO webhooks (pk, id, name, url, enabled, creation_time, user_fk, new_series, "
        "new_user, album_fk) "
        "SELECT w.pk + 1000 + n, 'many' || n, repeat('n', 200), repeat('u', 1000), true, "
        "w.creation_time, w.user_fk, true, true, w.album_fk "
        "FROM (SELECT * FROM webhooks ORDER BY pk LIMIT 1) AS w, generate_series(1, 10000) AS n");
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    site.worker().await_log(" total_ms=");
    const std::string log = site.worker().log();
    // No machine writes 12 MB of JSON within a millisecond.
    EXPECT_GT(last_time(log, "total_ms") - last_time(log, "database_ms"), 1) << log;
}

TEST_F(DatabaseFaults, ConnectionsSetTheirApplicationName) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"});
    EXPECT_EQ(site.get(kList, "alice").status, 200);
    EXPECT_EQ(site.database().column("SELECT DISTINCT application_name FROM pg_stat_activity "
                                     "WHERE datname = current_database() "
                                     "AND pid <> pg_backend_pid()"),
              std::vector<std::string>{"kheops-webhooks"});
}

}  // namespace
}  // namespace kheops::test
