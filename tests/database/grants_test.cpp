// SPDX-License-Identifier: MIT

// sql/grants.sql and sql/grants-undo.sql, run as an administrator runs them. Their role exists in
// the whole cluster: no other test may use it at the same time.

#include <gtest/gtest.h>

#include "support/database.hpp"
#include "support/files.hpp"
#include "support/list_statement.hpp"
#include "support/planted_objects.hpp"
#include "support/psql.hpp"
#include "support/temporary_directory.hpp"

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

    /// The role's rows in the catalogs that all databases of the cluster share.
    std::string traces() {
        return database_
            .execute(
                "SELECT 'role' FROM pg_roles WHERE rolname = 'kheops_webhooks' UNION ALL "
                "SELECT setconfig::text FROM pg_db_role_setting AS s JOIN pg_database AS d "
                "ON d.oid = s.setdatabase WHERE d.datname = current_database()")
            .dump();
    }

    /// The server's version, such as 150004 for 15.4.
    static int version(TestDatabase& database) {
        return std::stoi(database.execute("SHOW server_version_num").text(0, 0));
    }

    TestDatabase database_;
};

TEST_F(Grants, TheRoleGetsTheSameListAsASuperuser) {
    expect_script(kGrants, database_, "role kheops_webhooks: created");
    TestConnection superuser(database_.conninfo());
    prepare_list(superuser);
    const auto role = connect();
    prepare_list(*role);
    const std::vector<ListRequest> requests = {
        {"alice", "DemoAlbum1"},       {"bob", "DemoAlbum1"},
        {"carol", "DemoAlbum1"},       {"nobody", "DemoAlbum1"},
        {"alice", "AliceInbox"},       {"alice", "DemoAlbum1", "https://webhook.site/123456"},
        {"alice", "DemoAlbum1", {}, 1}};
    for (const ListRequest& request : requests) {
        EXPECT_EQ(list(*role, request).dump(), list(superuser, request).dump())
            << request.sub << " " << request.album;
    }
    // One webhook has a secret, another one has an empty secret.
    const Rows rows = list(*role, requests.front());
    ASSERT_EQ(rows.count(), 5);
    std::string secrets;
    for (int row = 0; row < rows.count(); ++row) {
        secrets += rows.text(row, "use_secret");
    }
    EXPECT_EQ(secrets, "ftftf");
}

TEST_F(Grants, TheRoleMayReadTheCountInEitherOrderOfTheScripts) {
    for (const bool grants_first : {true, false}) {
        expect_script(grants_first ? kGrants : kAccelerate, database_, "");
        expect_script(grants_first ? kAccelerate : kGrants, database_, "");
        const auto role = connect();
        prepare_list(*role);
        EXPECT_NE(list(*role, {"alice", "DemoAlbum1"}).text(0, "accelerated"), "");
        const std::string stock = list(*role, {"alice", "DemoAlbum1"}).dump();
        prepare_list(*role, kAccelerated);
        EXPECT_EQ(list(*role, {"alice", "DemoAlbum1"}).dump(), stock);
        expect_script(kUndo, database_, "role kheops_webhooks: dropped");
        expect_script("sql/accelerate-undo.sql", database_, "dropped");
    }
}

TEST_F(Grants, TheRoleCannotReadSecretsOrOtherColumnsAndTables) {
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

TEST_F(Grants, TheRoleReadsItsColumnsForAllAlbums) {
    expect_script(kGrants, database_, "");
    const auto role = connect();
    for (const char* sql :
         {"SELECT sub FROM users", "SELECT id FROM albums",
          "SELECT album_fk, user_fk, admin FROM album_user", "SELECT name, url FROM webhooks",
          "SELECT id FROM webhook_triggers", "SELECT status FROM webhook_attempts"}) {
        EXPECT_EQ(role->execute(sql).dump(), database_.execute(sql).dump()) << sql;
    }
}

TEST_F(Grants, TheRoleCannotWrite) {
    expect_script(kGrants, database_, "");
    const auto role = connect();
    // A session can change this setting, so the data must be protected without it.
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

TEST_F(Grants, TheRolesSettingsApply) {
    expect_script(kGrants, database_, "statement_timeout = '10s'");
    const auto role = connect();
    EXPECT_EQ(role->execute("SELECT current_setting('search_path'), current_setting('jit'), "
                            "current_setting('statement_timeout'), "
                            "current_setting('default_transaction_read_only'), "
                            "'webhooks'::regclass = 'kheops_webhooks.webhooks'::regclass")
                  .dump(),
              "kheops_webhooks, public, pg_temp|off|10s|on|t\n");
    EXPECT_EQ(role->failure_of("CREATE TABLE kheops_webhooks.mine ()"), "25006");
}

TEST_F(Grants, BothScriptsCanRunAgainAndTheUndoLeavesNoTrace) {
    const std::string before = describe(database_);
    ASSERT_NE(before.find("table public.webhooks"), std::string::npos);
    expect_script(kUndo, database_, "role kheops_webhooks: not there");
    EXPECT_EQ(describe(database_), before);

    expect_script(kGrants, database_, "role kheops_webhooks: created");
    const std::string granted = describe(database_);
    EXPECT_NE(granted, before);
    EXPECT_EQ(
        traces(),
        "role\n{\"search_path=kheops_webhooks, public, pg_temp\",statement_timeout=10s,jit=off,"
        "default_transaction_read_only=on}\n");
    expect_script(kGrants, database_, "role kheops_webhooks: there already");
    EXPECT_EQ(describe(database_), granted);

    expect_script(kUndo, database_, "role kheops_webhooks: dropped");
    EXPECT_EQ(describe(database_), before);
    EXPECT_EQ(traces(), "");
    expect_script(kUndo, database_, "role kheops_webhooks: not there");
    EXPECT_EQ(describe(database_), before);
}

TEST_F(Grants, ASecondRunKeepsThePassword) {
    expect_script(kGrants, database_, "");
    database_.execute("ALTER ROLE kheops_webhooks PASSWORD 'geheim'");
    const char* const password =
        "SELECT rolpassword FROM pg_authid WHERE rolname = 'kheops_webhooks'";
    const std::vector<std::string> before = database_.column(password);
    expect_script(kGrants, database_, "");
    EXPECT_EQ(database_.column(password), before);
}

TEST_F(Grants, TheConnectionLimitIs20AndASecondRunKeepsAChangedLimit) {
    const std::string limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'kheops_webhooks'";
    expect_script(kGrants, database_, "20 connections at most");
    {
        std::vector<std::unique_ptr<TestConnection>> connections(20);
        for (auto& connection : connections) {
            connection = connect();
        }
        EXPECT_THROW(connect(), std::runtime_error);
        connections.front()->execute("SET default_transaction_read_only = off");
        EXPECT_EQ(
            connections.front()->failure_of("ALTER ROLE kheops_webhooks CONNECTION LIMIT 100"),
            kNotAllowed);
    }
    for (const auto& [chosen, said] : {std::pair("7", "7 connections at most"),
                                       std::pair("-1", "any number of connections is allowed")}) {
        database_.execute("ALTER ROLE kheops_webhooks CONNECTION LIMIT " + std::string(chosen));
        expect_script(kGrants, database_, said);
        EXPECT_EQ(database_.column(limit), std::vector<std::string>{chosen});
    }
}

/// Except where Kheops alters its tables.
TEST_F(Grants, TheScriptsAndKheopsDoNotWaitForEachOther) {
    const std::string tables =
        "LOCK TABLE users, albums, album_user, public.webhooks, webhook_triggers, webhook_attempts "
        "IN ";
    TestConnection kheops(database_.conninfo());
    kheops.execute("SET lock_timeout = '5s'");
    TestConnection administrator(database_.conninfo());
    administrator.execute("SET lock_timeout = '5s'");
    for (const char* file : {kGrants, kGrants, kUndo}) {
        const bool again =
            database_.execute("SELECT to_regclass('kheops_webhooks.webhooks')::oid").text(0, 0) !=
            "";
        const auto role = again ? connect() : nullptr;
        std::string uncommitted = read_source(file);
        uncommitted.erase(uncommitted.rfind("COMMIT;"));
        // An open transaction of Kheops that has written.
        kheops.execute("BEGIN; " + tables + "ROW EXCLUSIVE MODE");
        administrator.execute(uncommitted);
        kheops.execute("COMMIT");
        // A transaction of Kheops that begins meanwhile. This lock conflicts with all except
        // readers'.
        EXPECT_EQ(kheops.failure_of("BEGIN; " + tables + "EXCLUSIVE MODE; COMMIT"), "") << file;
        if (again) {
            // The script replaces or drops the view.
            EXPECT_EQ(role->failure_of("SET lock_timeout = '10ms'; SELECT FROM webhooks"), "55P03")
                << file;
        }
        administrator.execute("COMMIT");
    }
}

TEST_F(Grants, AnOwnerWhoDidNotCreateTheRoleIsRefusedOrCannotDropIt) {
    const std::string owner = "grants_owner_" + database_.name();
    database_.execute("CREATE ROLE " + owner + " LOGIN CREATEROLE");
    database_.execute("GRANT CREATE ON DATABASE " + database_.name() + " TO " + owner);
    for (const char* table :
         {"users", "albums", "album_user", "webhooks", "webhook_triggers", "webhook_attempts"}) {
        database_.execute(std::string("ALTER TABLE ") + table + " OWNER TO " + owner);
    }
    expect_script(kGrants, database_, "");
    const bool refused = version(database_) >= 160000;
    for (const char* file : {kGrants, kUndo}) {
        const Outcome outcome = run_script(file, database_, owner);
        EXPECT_EQ(outcome.status, refused ? 3 : 0) << file << outcome.output;
        EXPECT_NE(outcome.output.find(refused           ? "ADMIN option"
                                      : (file == kUndo) ? "role kheops_webhooks: kept"
                                                        : "role kheops_webhooks: there already"),
                  std::string::npos)
            << file << outcome.output;
    }
    expect_script(kUndo, database_, "role kheops_webhooks: dropped");
    database_.drop_role(owner);
}

/// sql/README.md, "Dumps and restores".
TEST_F(Grants, ASecondRunCompletesARestoredDatabase) {
    if (!can_dump(database_)) {
        GTEST_SKIP() << "pg_dump is older than the server";
    }
    const TemporaryDirectory directory;
    const std::string dump = directory.file("dump.sql");
    const std::string secret = "SELECT secret FROM webhooks";
    for (const std::string options : {"", "-n public", "-x", "without the role"}) {
        expect_script(kGrants, database_, "");
        const bool role = options != "without the role";
        const Outcome dumped = run(client_command("pg_dump", database_) + " " +
                                   (role ? options : "") + " -f '" + dump + "'");
        ASSERT_EQ(dumped.status, 0) << dumped.output;
        TestDatabase restored;
        restored.execute("DROP SCHEMA public");
        if (options != "-n public") {
            restored.execute("CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC");
        }
        if (!role) {
            expect_script(kUndo, database_, "role kheops_webhooks: dropped");
        }
        const Outcome loaded = run(client_command("psql -X -q", restored) +
                                   (role ? " -v ON_ERROR_STOP=1" : "") + " -f '" + dump + "'");
        EXPECT_EQ(loaded.status, 0) << options << loaded.output;
        if (role) {
            // Without settings, a session finds the view since its schema has the role's name
            // ("$user").
            TestConnection before(restored.conninfo() + " user=" + kRole);
            EXPECT_EQ(before.execute("SHOW statement_timeout").text(0, 0), "0");
            EXPECT_EQ(before.failure_of(secret), options.empty() ? "" : kNotAllowed) << options;
        } else {
            EXPECT_NE(loaded.output.find("role \"kheops_webhooks\" does not exist"),
                      std::string::npos)
                << loaded.output;
        }
        expect_script(kGrants, restored, "");
        {
            TestConnection after(restored.conninfo() + " user=" + kRole);
            EXPECT_EQ(after.execute("SHOW statement_timeout").text(0, 0), "10s");
            prepare_list(after);
            EXPECT_EQ(list(after, {"alice", "DemoAlbum1"}).count(), 5) << options;
        }
        expect_script(kUndo, restored, "role kheops_webhooks: ");
    }
}

/// As a migration of Kheops would alter them.
TEST_F(Grants, AfterTheUndoColumnsCanBeAlteredAgain) {
    const std::string owner = "grants_owner_" + database_.name();
    database_.execute("CREATE ROLE " + owner + " LOGIN CREATEROLE");
    database_.execute("ALTER DATABASE " + database_.name() + " OWNER TO " + owner);
    for (const std::string& table : database_.column(
             "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND "
             "relkind = 'r'")) {
        database_.execute("ALTER TABLE public." + table + " OWNER TO " + owner);
    }
    // Before PostgreSQL 15, schema public does not belong to the owner of the database.
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
        // The view belongs to the owner of the table even if a superuser runs the script.
        expect_script(kGrants, database_, "view kheops_webhooks.webhooks: created for " + owner);
        EXPECT_EQ(database_.column("SELECT viewowner FROM pg_views WHERE viewname = 'webhooks'"),
                  std::vector<std::string>{owner});
        expect_script(kUndo, database_, "role kheops_webhooks: dropped");
        EXPECT_EQ(kheops.failure_of(drop), "");
    }
    database_.drop_role(owner);
}

TEST_F(Grants, TheUndoKeepsARoleThatAnotherDatabaseUses) {
    TestDatabase other({"sql/schema.sql"});
    expect_script(kGrants, database_, "");
    expect_script(kGrants, other, "role kheops_webhooks: there already");
    expect_script(kUndo, other, "role kheops_webhooks: kept");
    const auto role = connect();
    prepare_list(*role);
    EXPECT_EQ(list(*role, {"alice", "DemoAlbum1"}).count(), 5);
}

/// What every role may do by default; see the header of grants.sql.
TEST_F(Grants, DefaultRightsCanBeRevokedAsTheHeaderSaysOrAreHarmless) {
    expect_script(kGrants, database_, "");
    // The default before PostgreSQL 15.
    database_.execute("GRANT CREATE ON SCHEMA public TO PUBLIC");
    const std::vector<std::string> revocable = {
        "CREATE TEMPORARY TABLE mine ()", "CREATE TABLE public.mine ()", "SELECT lo_creat(-1)",
        "SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'mine')"};
    const auto failures = [&] {
        const auto role = connect();
        role->execute("SET default_transaction_read_only = off");
        std::vector<std::string> all;
        for (const std::string& sql : revocable) {
            role->execute("BEGIN");
            all.push_back(role->failure_of(sql));
            role->execute("ROLLBACK");
        }
        return all;
    };
    EXPECT_EQ(failures(), std::vector<std::string>(revocable.size(), ""));
    database_.execute(
        "REVOKE TEMPORARY ON DATABASE " + database_.name() + " FROM PUBLIC;" +
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
        "REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) "
        "FROM PUBLIC");
    EXPECT_EQ(failures(), std::vector<std::string>(revocable.size(), kNotAllowed));

    const auto role = connect();
    role->execute("SET default_transaction_read_only = off");
    role->execute("BEGIN");
    EXPECT_EQ(role->failure_of("GRANT kheops_webhooks TO pg_monitor"),
              version(database_) < 150000 ? "" : kNotAllowed);
    role->execute("ROLLBACK");
    role->execute("ALTER ROLE kheops_webhooks PASSWORD 'mine'");
    role->execute("ALTER ROLE kheops_webhooks IN DATABASE " + database_.name() +
                  " SET search_path = mine");
    EXPECT_EQ(connect()->execute("SHOW search_path").text(0, 0), "mine");
    TestConnection worker(database_.conninfo() + " user=" + kRole +
                          " options='-c search_path=kheops_webhooks,public,pg_temp'");
    prepare_list(worker);
    EXPECT_EQ(list(worker, {"alice", "DemoAlbum1"}).count(), 5);
    expect_script(kGrants, database_, "");
    EXPECT_EQ(connect()->execute("SHOW search_path").text(0, 0),
              "kheops_webhooks, public, pg_temp");
}

TEST_F(Grants, ATemporaryTableDoesNotReplaceKheopsTable) {
    expect_script(kGrants, database_, "");
    const auto role = connect();
    role->execute("SET default_transaction_read_only = off");
    role->execute(
        "CREATE TEMPORARY TABLE users (pk bigint, sub text, inbox_fk bigint);"
        "CREATE TEMPORARY TABLE webhooks ()");
    prepare_list(*role);
    EXPECT_EQ(list(*role, {"alice", "DemoAlbum1"}).count(), 5);
}

/// A role that may create schemas or roles could have created them before the script ran.
TEST_F(Grants, AnExistingSchemaOrRoleWithOtherRightsIsRefused) {
    const std::string other = "grants_other_" + database_.name();
    database_.execute("CREATE ROLE " + other);
    struct Case {
        std::string create;
        std::string reason;
        std::string drop;
    };
    const std::string create = "CREATE ROLE kheops_webhooks LOGIN";
    const std::string drop = "DROP ROLE kheops_webhooks";
    const std::string may_more = "may do more than this list";
    for (const Case& each :
         {Case{"CREATE SCHEMA kheops_webhooks AUTHORIZATION " + other,
               "does not belong to postgres", "DROP SCHEMA kheops_webhooks"},
          Case{create + " SUPERUSER", may_more, drop}, Case{create + " CREATEROLE", may_more, drop},
          Case{create + " CREATEDB", may_more, drop}, Case{create + " REPLICATION", may_more, drop},
          Case{create + " BYPASSRLS", may_more, drop},
          Case{create + "; GRANT " + other + " TO kheops_webhooks", may_more, drop},
          Case{create + "; GRANT kheops_webhooks TO " + other, "has members", drop}}) {
        database_.execute(each.create);
        SCOPED_TRACE(each.create);
        const std::string before = describe(database_);
        expect_refused(kGrants, database_, each.reason);
        EXPECT_EQ(describe(database_), before);
        database_.execute(each.drop);
    }
    database_.execute("DROP ROLE " + other);
}

/// planted_objects_test.cpp tests the same for the other SQL files.
TEST_F(Grants, PlantedObjectsInPublicAreNotUsed) {
    auto planted = std::make_unique<TestDatabase>(
        std::vector<std::string>{"sql/schema.sql", "sql/example-data.sql"});
    const std::string owner = "grants_owner_" + planted->name();
    database_.execute("CREATE ROLE " + owner + " LOGIN CREATEROLE");
    database_.execute("ALTER DATABASE " + planted->name() + " OWNER TO " + owner);
    planted->execute("GRANT CREATE ON SCHEMA public TO " + owner);
    {
        TestConnection planter(planted->conninfo() + " user=" + owner);
        plant_objects(planter, "public");
    }
    const std::string attributes = "SELECT * FROM pg_roles WHERE rolname = '" + owner + "'";
    const std::string before = database_.execute(attributes).dump();
    database_.execute("ALTER DATABASE " + planted->name() +
                      " SET search_path = public, pg_catalog");
    expect_script(kGrants, *planted, "role kheops_webhooks: created");
    expect_script(kGrants, *planted, "role kheops_webhooks: there already");
    {
        TestConnection role(planted->conninfo() + " user=" + kRole);
        prepare_list(role);
        EXPECT_EQ(list(role, {"alice", "DemoAlbum1"}).count(), 5);
        EXPECT_EQ(list(role, {"carol", "DemoAlbum1"}).count(), 1);
    }
    expect_script(kUndo, *planted, "role kheops_webhooks: dropped");
    EXPECT_EQ(database_.execute(attributes).dump(), before);
    planted.reset();
    database_.execute("DROP ROLE " + owner);
}

TEST_F(Grants, ADatabaseThatIsNotKheopsIsRefused) {
    TestDatabase empty;
    const std::string before = describe(empty);
    expect_refused(kGrants, empty, "this is not a Kheops database");
    EXPECT_EQ(describe(empty), before);
    EXPECT_EQ(traces(), "");
}

}  // namespace
}  // namespace kheops::test
