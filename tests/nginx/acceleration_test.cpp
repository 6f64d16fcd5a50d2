// SPDX-License-Identifier: MIT

// The worker notices while it runs that sql/accelerate.sql is run or undone. Its answers stay the
// same.

#include <gtest/gtest.h>

#include <unistd.h>

#include "support/psql.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr const char* kAccelerate = "sql/accelerate.sql";
constexpr const char* kUndo = "sql/accelerate-undo.sql";
constexpr const char* kRecreateTable = R"(
    CREATE TABLE recreated (LIKE webhook_triggers INCLUDING ALL);
    INSERT INTO recreated SELECT * FROM webhook_triggers;
    DROP TABLE webhook_triggers CASCADE;
    ALTER TABLE recreated RENAME TO webhook_triggers;
    DELETE FROM webhook_triggers WHERE pk = 1;
)";

class Acceleration : public testing::Test {
  protected:
    /// Sends enough requests for both threads to notice a change.
    void expect_answered(const std::string& body, bool from_the_kept_count) {
        for (int i = 0; i < 4; ++i) {
            const HttpAnswer answer = site_.get(kList, "alice");
            EXPECT_EQ(answer.status, 200) << answer.body;
            EXPECT_EQ(answer.body, body);
            EXPECT_EQ(site_.get(kList, "bob").status, 403);
            EXPECT_EQ(site_.get("/albums/AliceInbox/webhooks", "alice").status, 404);
        }
        EXPECT_EQ(site_.used_accelerated_statement(), from_the_kept_count);
    }

    TestSite site_{{"sql/schema.sql", "sql/example-data.sql"}, {{"KHEOPS_WEBHOOKS_THREADS", "2"}}};
};

TEST_F(Acceleration, IsUsedOnceInstalledAndDroppedOnceUndone) {
    const std::string body = site_.get(kList, "alice").body;
    expect_answered(body, false);
    for (int round = 0; round < 2; ++round) {
        expect_script(kAccelerate, site_.database(), "the list is accelerated");
        expect_answered(body, true);
        expect_script(kUndo, site_.database(), "dropped");
        expect_answered(body, false);
    }
    // A failure of the accelerated statement is no loss of the database.
    EXPECT_EQ(site_.worker().log().find("event=database_lost"), std::string::npos)
        << site_.worker().log();
}

TEST_F(Acceleration, IsIgnoredAfterTheTableIsRecreated) {
    expect_script(kAccelerate, site_.database(), "the list is accelerated");
    const std::string body = site_.get(kList, "alice").body;
    expect_answered(body, true);
    site_.database().execute(kRecreateTable);
    std::string with_one_less = body;
    const std::string count = "\"number_of_triggers\":11";
    with_one_less.replace(with_one_less.find(count), count.size(), "\"number_of_triggers\":10");
    expect_answered(with_one_less, false);
    expect_script(kAccelerate, site_.database(), "the list is accelerated");
    expect_answered(with_one_less, true);
}

TEST_F(Acceleration, IsIgnoredAfterATriggerWasDisabled) {
    const std::string body = site_.get(kList, "alice").body;
    std::string with_one_less = body;
    const std::string count = "\"number_of_triggers\":11";
    with_one_less.replace(with_one_less.find(count), count.size(), "\"number_of_triggers\":10");
    expect_script(kAccelerate, site_.database(), "the list is accelerated");
    expect_answered(body, true);
    site_.database().execute(
        "ALTER TABLE webhook_triggers DISABLE TRIGGER USER; "
        "DELETE FROM webhook_attempts WHERE webhook_trigger_fk = 1; "
        "DELETE FROM webhook_triggers WHERE pk = 1; "
        "ALTER TABLE webhook_triggers ENABLE TRIGGER USER");
    expect_answered(with_one_less, false);
    expect_script(kAccelerate, site_.database(), "the list is accelerated");
    expect_answered(with_one_less, true);
}

/// A restore of the schema alone leaves the table empty that marks a valid count.
TEST_F(Acceleration, WithoutAValidCountOnlyThePlainStatementIsSent) {
    const std::string body = site_.get(kList, "alice").body;
    expect_script(kAccelerate, site_.database(), "the list is accelerated");
    site_.database().execute("DELETE FROM kheops_webhooks_accelerate.ready");
    expect_answered(body, false);
    // The accelerated statement would wait for this lock.
    const auto lock = site_.database().lock_table("kheops_webhooks_accelerate.ready");
    expect_answered(body, false);
}

TEST_F(Acceleration, WithoutAccessToTheCountTheListIsTheSame) {
    expect_script(kAccelerate, site_.database(), "the list is accelerated");
    const std::string role = "unaccelerated_" + std::to_string(::getpid());
    site_.database().execute("CREATE ROLE " + role + " LOGIN");
    site_.database().execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role);
    site_.database().execute("REVOKE ALL ON SCHEMA kheops_webhooks_accelerate FROM PUBLIC");
    {
        TestSite unprivileged(
            {}, {{"KHEOPS_WEBHOOKS_DATABASE", site_.database().conninfo() + " user=" + role}});
        for (int i = 0; i < 2; ++i) {
            EXPECT_EQ(unprivileged.get(kList, "alice").body, site_.get(kList, "alice").body);
        }
    }
    site_.database().execute("DROP OWNED BY " + role);
    site_.database().execute("DROP ROLE " + role);
}

}  // namespace
}  // namespace kheops::test
