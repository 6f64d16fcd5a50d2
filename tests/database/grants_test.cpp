// SPDX-License-Identifier: MIT

// sql/grants.sql and sql/grants-undo.sql, run as an administrator runs them. Their role belongs to
// the whole server: no other test may use it at the same time.

#include <gtest/gtest.h>

#include "support/database.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"

namespace kheops::test {
namespace {

constexpr const char* kRole = "kheops_webhooks";
constexpr const char* kGrants = "sql/grants.sql";
constexpr const char* kUndo = "sql/grants-undo.sql";
constexpr const char* kAccelerate = "sql/accelerate.sql";
constexpr const char* kNotAllowed = "42501";

class Grants : public testing::Test {
  protected:
    Grants() : database_({"sql/schema.sql", "sql/example-data.sql"}) {}

    void TearDown() override { run_script(kUndo, database_); }

    [[nodiscard]] std::unique_ptr<TestConnection> connect() const {
        return std::make_unique<TestConnection>(database_.conninfo() + " user=" + kRole);
    }

    /// What the role leaves in the catalogs that belong to the whole server.
    std::string traces() {
        return database_
            .execute(
                "SELECT 'role' FROM pg_roles WHERE rolname = 'kheops_webhooks' UNION ALL "
                "SELECT setconfig::text FROM pg_db_role_setting AS s JOIN pg_database AS d "
                "ON d.oid = s.setdatabase WHERE d.datname = current_database()")
            .dump();
    }

    TestDatabase database_;
};

TEST_F(Grants, TheRoleGetsTheSameList) {
    expect_script(kGrants, database_, "role kheops_webhooks: created");
    TestConnection superuser(database_.conninfo());
    prepare_list(superuser);
    const auto role = connect();
    prepare_list(*role);
    const std::vector<ListQuestion> questions = {
        {"alice", "DemoAlbum1"},       {"bob", "DemoAlbum1"},
        {"carol", "DemoAlbum1"},       {"nobody", "DemoAlbum1"},
        {"alice", "AliceInbox"},       {"alice", "DemoAlbum1", "https://webhook.site/123456"},
        {"alice", "DemoAlbum1", {}, 1}};
    for (const ListQuestion& question : questions) {
        EXPECT_EQ(list(*role, question).dump(), list(superuser, question).dump())
            << question.sub << " " << question.album;
    }
    // One webhook has a secret, one an empty one.
    const Rows rows = list(*role, questions.front());
    ASSERT_EQ(rows.count(), 5);
    std::string secrets;
    for (int row = 0; row < rows.count(); ++row) {
        secrets += rows.text(row, "use_secret");
    }
    EXPECT_EQ(secrets, "ftftf");
}

TEST_F(Grants, TheRoleMayReadTheCountWhicheverScriptRanFirst) {
    for (const bool grants_first : {true, false}) {
        expect_script(grants_first ? kGrants : kAccelerate, database_, "");
        expect_script(grants_first ? kAccelerate : kGrants, database_, "");
        const auto role = connect();
        prepare_list(*role);
        EXPECT_EQ(list(*role, {"alice", "DemoAlbum1"}).text(0, "accelerated"), "t");
        const std::string stock = list(*role, {"alice", "DemoAlbum1"}).dump();
        prepare_list(*role, kAccelerated);
        EXPECT_EQ(list(*role, {"alice", "DemoAlbum1"}).dump(), stock);
        expect_script(kUndo, database_, "role kheops_webhooks: dropped");
        expect_script("sql/accelerate-undo.sql", database_, "dropped");
    }
}

TEST_F(Grants, TheRoleSeesNoSecretAndNothingElse) {
    expect_script(kGrants, database_, "");
    const auto role = connect();
    EXPECT_EQ(role->execute("SELECT DISTINCT secret FROM webhooks ORDER BY 1").dump(),
              "hidden\nNULL\n");
    for (const char* sql :
         {"SELECT secret FROM public.webhooks", "SELECT id FROM public.webhooks",
          "SELECT count(*) FROM public.webhooks", "SELECT w FROM public.webhooks AS w",
          "SELECT email FROM users", "SELECT name FROM users", "SELECT * FROM users",
          "SELECT users FROM users", "SELECT name FROM albums", "SELECT favorite FROM album_user",
          "SELECT user_fk FROM webhook_triggers", "SELECT time FROM webhook_attempts",
          "COPY users TO STDOUT", "SELECT nextval('users_pk_seq')",
          "SELECT last_value FROM users_pk_seq", "SELECT pg_read_file('PG_VERSION')"}) {
        EXPECT_EQ(role->failure_of(sql), kNotAllowed) << sql;
    }
    const std::vector<std::string> others = database_.column(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND "
        "relkind = 'r' AND relname NOT IN ('users', 'albums', 'album_user', 'webhook_triggers', "
        "'webhook_attempts')");
    EXPECT_EQ(others.size(), 9U);
    for (const std::string& table : others) {
        EXPECT_EQ(role->failure_of("SELECT count(*) FROM public." + table), kNotAllowed) << table;
    }
}

TEST_F(Grants, TheRoleCanWriteNothing) {
    expect_script(kGrants, database_, "");
    const auto role = connect();
    // What a session may change must not be what protects the data.
    role->execute("SET default_transaction_read_only = off");
    std::vector<std::string> tables = database_.column(
        "SELECT 'public.' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind = 'r'");
    EXPECT_EQ(tables.size(), 14U);
    tables.emplace_back("kheops_webhooks.webhooks");
    for (const std::string& table : tables) {
        for (const std::string& sql :
             {"DELETE FROM " + table, "UPDATE " + table + " SET pk = pk",
              "INSERT INTO " + table + " (pk) VALUES (-1)", "LOCK TABLE " + table,
              "SELECT pk FROM " + table + " FOR UPDATE"}) {
            EXPECT_EQ(role->failure_of("BEGIN; " + sql), kNotAllowed) << sql;
            role->execute("ROLLBACK");
        }
    }
    for (const char* sql :
         {"CREATE TABLE kheops_webhooks.mine ()", "TRUNCATE users", "DROP VIEW webhooks",
          "ALTER TABLE public.webhooks ADD COLUMN mine integer", "CREATE SCHEMA mine",
          "CREATE ROLE mine", "SET ROLE postgres",
          "CREATE OR REPLACE VIEW kheops_webhooks.webhooks AS SELECT 1"}) {
        EXPECT_EQ(role->failure_of(sql), kNotAllowed) << sql;
    }
}

TEST_F(Grants, ItsSettingsAreInForce) {
    expect_script(kGrants, database_, "statement_timeout = '10s'");
    const auto role = connect();
    EXPECT_EQ(role->execute("SELECT current_setting('search_path'), current_setting('jit'), "
                            "current_setting('statement_timeout'), "
                            "current_setting('default_transaction_read_only'), "
                            "'webhooks'::regclass = 'kheops_webhooks.webhooks'::regclass")
                  .dump(),
              "kheops_webhooks, public|off|10s|on|t\n");
    EXPECT_EQ(role->failure_of("CREATE TABLE kheops_webhooks.mine ()"), "25006");
}

TEST_F(Grants, BothCanBeRunAgainAndTheUndoLeavesNoTrace) {
    const std::string before = described(database_);
    ASSERT_NE(before.find("CREATE TABLE public.webhooks"), std::string::npos);
    expect_script(kUndo, database_, "role kheops_webhooks: not there");
    EXPECT_EQ(described(database_), before);

    expect_script(kGrants, database_, "role kheops_webhooks: created");
    const std::string granted = described(database_);
    EXPECT_NE(granted, before);
    EXPECT_EQ(traces(),
              "role\n{\"search_path=kheops_webhooks, public\",statement_timeout=10s,jit=off,"
              "default_transaction_read_only=on}\n");
    expect_script(kGrants, database_, "role kheops_webhooks: there already");
    EXPECT_EQ(described(database_), granted);

    expect_script(kUndo, database_, "role kheops_webhooks: dropped");
    EXPECT_EQ(described(database_), before);
    EXPECT_EQ(traces(), "");
    expect_script(kUndo, database_, "role kheops_webhooks: not there");
    EXPECT_EQ(described(database_), before);
}

TEST_F(Grants, RunAgainTheyKeepAPassword) {
    expect_script(kGrants, database_, "");
    database_.execute("ALTER ROLE kheops_webhooks PASSWORD 'geheim'");
    const char* const password =
        "SELECT rolpassword FROM pg_authid WHERE rolname = 'kheops_webhooks'";
    const std::vector<std::string> before = database_.column(password);
    expect_script(kGrants, database_, "");
    EXPECT_EQ(database_.column(password), before);
}

/// As a migration of Kheops would.
TEST_F(Grants, AfterTheUndoColumnsCanBeAlteredAgain) {
    const std::string owner = "grants_owner_" + database_.name();
    database_.execute("CREATE ROLE " + owner + " LOGIN CREATEROLE");
    database_.execute("ALTER DATABASE " + database_.name() + " OWNER TO " + owner);
    for (const std::string& table : database_.column(
             "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND "
             "relkind = 'r'")) {
        database_.execute("ALTER TABLE public." + table + " OWNER TO " + owner);
    }
    // Public belongs to the owner of the database only since PostgreSQL 15.
    database_.execute("ALTER SCHEMA public OWNER TO " + owner);

    const char* const alter = "ALTER TABLE webhooks ALTER COLUMN name TYPE varchar(300)";
    const char* const drop = "ALTER TABLE webhooks DROP COLUMN secret";
    {
        TestConnection kheops(database_.conninfo() + " user=" + owner);
        expect_script(kGrants, database_, "view kheops_webhooks.webhooks: created for " + owner,
                      owner);
        EXPECT_EQ(kheops.failure_of(alter), "0A000");
        EXPECT_EQ(kheops.failure_of(drop), "2BP01");
        expect_script(kUndo, database_, "role kheops_webhooks: dropped", owner);
        EXPECT_EQ(kheops.failure_of(alter), "");
        // The owner's too when a superuser runs it.
        expect_script(kGrants, database_, "view kheops_webhooks.webhooks: created for " + owner);
        EXPECT_EQ(database_.column("SELECT viewowner FROM pg_views WHERE viewname = 'webhooks'"),
                  std::vector<std::string>{owner});
        expect_script(kUndo, database_, "role kheops_webhooks: dropped");
        EXPECT_EQ(kheops.failure_of(drop), "");
    }
    database_.execute("REASSIGN OWNED BY " + owner + " TO postgres");
    database_.execute("DROP OWNED BY " + owner);
    database_.execute("DROP ROLE " + owner);
}

TEST_F(Grants, TheRoleStaysForAnotherDatabaseThatNeedsIt) {
    TestDatabase other({"sql/schema.sql"});
    expect_script(kGrants, database_, "");
    expect_script(kGrants, other, "role kheops_webhooks: there already");
    expect_script(kUndo, other, "role kheops_webhooks: kept");
    const auto role = connect();
    prepare_list(*role);
    EXPECT_EQ(list(*role, {"alice", "DemoAlbum1"}).count(), 5);
}

TEST_F(Grants, InAnotherKindOfDatabaseTheyDoNothing) {
    TestDatabase empty;
    const std::string before = described(empty);
    const Outcome outcome = run_script(kGrants, empty);
    EXPECT_EQ(outcome.status, 3);
    EXPECT_NE(outcome.output.find("this is not a Kheops database"), std::string::npos)
        << outcome.output;
    EXPECT_EQ(described(empty), before);
    EXPECT_EQ(traces(), "");
}

}  // namespace
}  // namespace kheops::test
