// SPDX-License-Identifier: MIT

// Another role has created operators, functions, types and catalogs in every schema of the
// search_path, with the signatures that the SQL files use (CVE-2018-1058): none of them is used.
// For grants.sql and grants-undo.sql, see grants_test.cpp.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "database/find_webhooks.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/list_statement.hpp"
#include "support/planted_objects.hpp"
#include "support/psql.hpp"
#include "support/wrong_counts.hpp"

namespace kheops::test {
namespace {

constexpr const char* kAccelerate = "sql/accelerate.sql";
constexpr const char* kUndo = "sql/accelerate-undo.sql";
constexpr const char* kPlanted = "P0001";

/// Without pg_catalog in the path, PostgreSQL searches it first.
constexpr std::array kSearchPaths = {"\"$user\", public", "public, pg_catalog",
                                     "\"$user\", public, pg_catalog"};

/// The example data in a database that belongs, with its tables, to an ordinary role, which plants
/// the objects. Another role, reader_, may read what the statements read.
class PlantedObjects : public testing::Test {
  protected:
    PlantedObjects()
        : database_(std::make_unique<TestDatabase>()),
          server_(database_->conninfo() + " dbname=postgres"),
          owner_("planter_" + database_->name()),
          reader_("reader_" + database_->name()) {
        server_.execute("CREATE ROLE " + owner_ + " LOGIN; CREATE ROLE " + reader_ + " LOGIN");
        server_.execute("ALTER DATABASE " + database_->name() + " OWNER TO " + owner_);
        TestConnection owner = as(owner_);
        for (const char* file : {"sql/schema.sql", "sql/example-data.sql"}) {
            owner.execute(read_source(file));
        }
        // Enough triggers that the statement treats the history as a long one.
        owner.execute(
            "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
            "SELECT 'history ' || n, 2, true, false FROM generate_series(1, 1200) AS n");
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + reader_);
        owner.execute("CREATE SCHEMA " + reader_);
        owner.execute("GRANT USAGE ON SCHEMA " + reader_ + " TO " + reader_);
    }

    void TearDown() override {
        database_.reset();
        server_.execute("DROP ROLE " + owner_ + ", " + reader_);
    }

    /// Plants objects in schema public and in the schema with the reader's name.
    void plant() {
        TestConnection owner = as(owner_);
        plant_objects(owner, "public");
        plant_objects(owner, reader_);
    }

    [[nodiscard]] TestConnection as(const std::string& role) const {
        return TestConnection(database_->conninfo() + " user=" + role);
    }

    /// The same, with public before pg_catalog. Expects that a statement without schema names uses
    /// a planted operator.
    [[nodiscard]] TestConnection with_public_first(const std::string& role) const {
        TestConnection connection = as(role);
        connection.execute("SET search_path = public, pg_catalog");
        EXPECT_EQ(connection.failure_of("SELECT 1 = 1"), kPlanted);
        return connection;
    }

    /// The attributes of this test's roles.
    std::string attributes() {
        return server_
            .execute("SELECT * FROM pg_roles WHERE rolname IN ('" + owner_ + "', '" + reader_ +
                     "') ORDER BY rolname")
            .dump();
    }

    /// As test::wrong_counts().
    [[nodiscard]] std::string wrong_counts() const {
        TestConnection connection = as("postgres");
        connection.execute("SET search_path = pg_catalog");
        return test::wrong_counts(connection);
    }

    std::unique_ptr<TestDatabase> database_;
    TestConnection server_;
    std::string owner_;
    std::string reader_;
};

TEST_F(PlantedObjects, AreNotUsedByTheStatements) {
    expect_script(kAccelerate, *database_, "the list is accelerated", owner_);
    const std::vector<ListRequest> requests = {
        {"alice", "DemoAlbum1"},          {"bob", "DemoAlbum1"},
        {"carol", "DemoAlbum1"},          {"nobody", "DemoAlbum1"},
        {"alice", "AliceInbox"},          {"alice", "DemoAlbum1", "https://webhook.site/123456"},
        {"alice", "DemoAlbum1", {}, 1, 1}};
    const auto answers = [&](TestConnection& connection) {
        std::string all;
        for (const char* statement : {kStock, kAccelerated}) {
            prepare_list(connection, statement);
            for (const ListRequest& request : requests) {
                all += list(connection, request).dump() + "\n";
            }
        }
        return all;
    };
    TestConnection reader = as(reader_);
    const std::string expected = answers(reader);
    EXPECT_NE(expected.find("|1200|"), std::string::npos) << expected;

    plant();
    for (const char* path : kSearchPaths) {
        reader.execute(std::string("SET search_path = ") + path);
        EXPECT_EQ(
            reader.failure_of("SELECT FROM users WHERE sub = 'alice'::varchar::pg_catalog.text"),
            kPlanted)
            << path;
        EXPECT_EQ(answers(reader), expected) << path;
    }
}

/// Includes the statement that sets a session up.
TEST_F(PlantedObjects, AreNotUsedByTheProgram) {
    plant();
    const Log log(LogLevel::error);
    for (const char* path : {"$user,public", "public,pg_catalog"}) {
        ConnectionPool pool({.connection = database_->conninfo() + " user=" + reader_ +
                                           " options='-c search_path=" + path + "'",
                             .name = {},
                             .user = {},
                             .password_file = {},
                             .budget = std::chrono::seconds(20)},
                            1, log);
        const Deadline deadline(Clock::now() + std::chrono::seconds(30));
        const AlbumId album = {"DemoAlbum1"};
        EXPECT_EQ(find_webhooks(pool, "alice", album, {}, deadline).page.total, 5) << path;
        EXPECT_FALSE(find_webhooks(pool, "carol", album, {}, deadline).caller.member) << path;
    }
}

TEST_F(PlantedObjects, AreNotUsedByAccelerateAndItsUndo) {
    plant();
    server_.execute("ALTER DATABASE " + database_->name() +
                    " SET search_path = public, pg_catalog");
    const std::string before = attributes();
    for (const std::string& user : {std::string("postgres"), owner_}) {
        SCOPED_TRACE(user);
        expect_script(kUndo, *database_, "not there", user);
        expect_script(kAccelerate, *database_, "count: corrected for 3 webhooks", user);
        EXPECT_EQ(wrong_counts(), "");
        expect_script(kAccelerate, *database_, "count: corrected for 0 webhooks", user);
        expect_script(kUndo, *database_, "index kheops_webhooks_newest: dropped", user);
    }
    EXPECT_EQ(attributes(), before);
}

TEST_F(PlantedObjects, AreNotUsedByTheTriggersThatCount) {
    expect_script(kAccelerate, *database_, "the list is accelerated", owner_);
    as(owner_).execute("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON webhook_triggers TO " +
                       reader_);
    plant();
    TestConnection writer = with_public_first(reader_);
    plant_objects(writer, "pg_temp");
    for (const char* change :
         {"INSERT INTO public.webhook_triggers (id, webhook_fk, new_series, new_user) VALUES "
          "('a', 3, true, false), ('b', 3, true, false), ('c', 4, true, false)",
          "UPDATE public.webhook_triggers SET webhook_fk = 5 WHERE webhook_fk "
          "OPERATOR(pg_catalog.=) 3",
          "DELETE FROM public.webhook_triggers WHERE webhook_fk OPERATOR(pg_catalog.=) 4",
          "BEGIN; INSERT INTO public.webhook_triggers (id, webhook_fk, new_series, new_user) "
          "VALUES "
          "('d', 3, true, false); INSERT INTO public.webhook_triggers (id, webhook_fk, new_series, "
          "new_user) VALUES ('e', 3, true, false); COMMIT"}) {
        EXPECT_EQ(writer.failure_of(change), "") << change;
        EXPECT_EQ(wrong_counts(), "") << change;
        EXPECT_EQ(as("postgres").execute("TABLE kheops_webhooks_accelerate.doubts").count(), 0)
            << change;
    }
    for (const std::string& role : {owner_, std::string("postgres")}) {
        TestConnection connection = with_public_first(role);
        for (const char* call : {"SELECT kheops_webhooks_accelerate.fold_now_and_then(1)",
                                 "SELECT kheops_webhooks_accelerate.check_and_repair()",
                                 "TRUNCATE public.webhook_triggers CASCADE"}) {
            EXPECT_EQ(connection.failure_of(call), "") << role << " " << call;
        }
        EXPECT_EQ(wrong_counts(), "");
    }
}

}  // namespace
}  // namespace kheops::test
