// SPDX-License-Identifier: MIT

// `--check` of the database: each fault that an operator can make is named with its remedy, and a
// good installation has none.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "check/database_check.hpp"
#include "support/await.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/hostile_server.hpp"
#include "support/planted_objects.hpp"
#include "support/psql.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_cluster.hpp"
#include "support/test_pooler.hpp"

namespace kheops::test {
namespace {

using Grade = Finding::Grade;

constexpr const char* kGrants = "sql/grants.sql";
constexpr const char* kAccelerate = "sql/accelerate.sql";
constexpr unsigned kThreads = 4;

struct Findings {
    std::vector<Finding> all;

    /// One line for each finding that is not ok: its grade, what was found and the remedy.
    [[nodiscard]] std::vector<std::string> faults() const {
        std::vector<std::string> lines;
        for (const Finding& finding : all) {
            if (finding.grade != Grade::ok) {
                lines.push_back((finding.grade == Grade::problem ? "problem: " : "warning: ") +
                                finding.found + " -> " + finding.remedy);
            }
        }
        return lines;
    }
    [[nodiscard]] std::string text() const {
        std::string lines;
        for (const Finding& finding : all) {
            lines += finding.found + " -> " + finding.remedy + "\n";
        }
        return lines;
    }
    [[nodiscard]] bool is_ok(const std::string& found) const {
        return std::any_of(all.begin(), all.end(), [&](const Finding& finding) {
            return finding.grade == Grade::ok && finding.found.find(found) != std::string::npos;
        });
    }
};

Findings check(const DatabaseSettings& settings) {
    Findings findings;
    check_database(settings, kThreads,
                   [&](const Finding& finding) { findings.all.push_back(finding); });
    for (const Finding& finding : findings.all) {
        EXPECT_EQ(finding.found.find_first_of("\n\t"), std::string::npos) << finding.found;
        EXPECT_EQ(finding.remedy.empty(), finding.grade == Grade::ok) << finding.found;
    }
    return findings;
}

Findings check(const std::string& conninfo,
               std::chrono::milliseconds budget = std::chrono::seconds(20)) {
    DatabaseSettings settings;
    settings.connection = conninfo;
    settings.budget = budget;
    return check(settings);
}

/// A fault that is expected: its grade, and parts of what is found and of the remedy.
struct Fault {
    std::string grade;
    std::string found;
    std::string remedy;
};

/// Expects these faults, in this order, and no others.
void expect_faults(const Findings& findings, const std::vector<Fault>& expected) {
    const std::vector<std::string> faults = findings.faults();
    ASSERT_EQ(faults.size(), expected.size()) << findings.text();
    for (size_t i = 0; i < faults.size(); ++i) {
        EXPECT_TRUE(faults[i].starts_with(expected[i].grade + ": ")) << faults[i];
        const size_t arrow = faults[i].find(" -> ");
        EXPECT_NE(faults[i].substr(0, arrow).find(expected[i].found), std::string::npos)
            << faults[i];
        EXPECT_NE(faults[i].find(expected[i].remedy, arrow), std::string::npos) << faults[i];
    }
}

/// A server of its own: its access rules, limits and the role kheops_webhooks belong to these tests
/// alone. Each test has a database with the role and without faults.
class Check : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        cluster_ = std::make_unique<TestCluster>(
            std::vector<std::string>{"max_connections = 20", "superuser_reserved_connections = 3"});
        directory_ = std::make_unique<TemporaryDirectory>();
        write_file(directory_->file("cluster"), cluster_->host() + "\n");
        // For TestDatabase.
        ::setenv("KHEOPS_TEST_CLUSTER", directory_->file("cluster").c_str(), 1);
    }
    static void TearDownTestSuite() {
        cluster_.reset();
        directory_.reset();
    }

    Check() : database_({"sql/schema.sql", "sql/example-data.sql"}) {
        database_.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        expect_script(kGrants, database_, "role kheops_webhooks: created");
    }
    ~Check() override { database_.drop_role("kheops_webhooks"); }

    [[nodiscard]] std::string as(const std::string& role) const {
        return database_.conninfo() + " user=" + role;
    }
    [[nodiscard]] std::string conninfo() const { return as("kheops_webhooks"); }

    static std::unique_ptr<TestCluster> cluster_;
    static std::unique_ptr<TemporaryDirectory> directory_;
    TestDatabase database_;
};

std::unique_ptr<TestCluster> Check::cluster_;
std::unique_ptr<TemporaryDirectory> Check::directory_;

TEST_F(Check, AGoodInstallationHasNoFault) {
    const Findings plain = check(conninfo());
    expect_faults(plain, {});
    EXPECT_TRUE(plain.is_ok("accelerate.sql: not installed")) << plain.text();
    expect_script(kAccelerate, database_, "the list is accelerated");
    const Findings accelerated = check(conninfo());
    expect_faults(accelerated, {});
    for (const char* found :
         {"primary", "may read all that the list needs", "may read no secrets",
          "statement: can be prepared", "search_path: others may create nothing",
          "connections: enough for 4 threads: role kheops_webhooks 20 (0 in use by others), "
          "database",
          "accelerate.sql: whole, of this version and in force; to compare its count with the "
          "triggers, run SELECT kheops_webhooks_accelerate.check_and_repair() as postgres"}) {
        EXPECT_TRUE(accelerated.is_ok(found)) << found << "\n" << accelerated.text();
    }
}

/// Their owners may do all this without a right to create.
TEST_F(Check, TheOwnersOfTablesSchemaAndDatabaseAreNoFault) {
    for (const std::string role : {"kheops", "schema_owner", "database_owner"}) {
        database_.execute("CREATE ROLE " + role);
    }
    for (const std::string& table : database_.column(
             "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND "
             "relkind = 'r'")) {
        database_.execute("ALTER TABLE public." + table + " OWNER TO kheops");
    }
    database_.execute("ALTER DATABASE " + database_.name() +
                      " OWNER TO database_owner;"
                      "ALTER SCHEMA public OWNER TO schema_owner;"
                      "GRANT CREATE ON SCHEMA public TO kheops, database_owner;"
                      "DROP SCHEMA kheops_webhooks CASCADE");
    expect_script(kGrants, database_, "view kheops_webhooks.webhooks: created for kheops");
    expect_script(kAccelerate, database_, "the list is accelerated");
    const Findings findings = check(conninfo());
    expect_faults(findings, {});
    EXPECT_TRUE(findings.is_ok("check_and_repair() as kheops")) << findings.text();
    for (const char* role : {"kheops", "schema_owner", "database_owner"}) {
        database_.drop_role(role);
    }
}

TEST_F(Check, TheDatabaseIsNotChanged) {
    expect_script(kAccelerate, database_, "");
    const std::string before = describe(database_);
    check(conninfo());
    check(database_.conninfo());
    EXPECT_EQ(describe(database_), before);
}

TEST_F(Check, AHostThatCannotBeReachedIsNamedWithTheReason) {
    const Descriptor bound = bind_tcp("127.0.0.1");
    const std::string port = std::to_string(port_of(bound));
    expect_faults(check("host=127.0.0.1 port=" + port),
                  {{"problem", "database host 127.0.0.1 port " + port + ": ", "start PostgreSQL"}});
    expect_faults(check("host=nowhere.invalid"),
                  {{"problem", "could not translate host name \"nowhere.invalid\"",
                    "correct the host's name"}});
    const TemporaryDirectory empty;
    expect_faults(check("host=" + empty.path()),
                  {{"problem", "No such file or directory", "the directory of its socket"}});
}

TEST_F(Check, ASilentHostIsGivenUpAfterOneBudget) {
    HostileServer silent([](const auto&) { return HostileServer::Reply{""}; });
    expect_faults(check(silent.conninfo(), std::chrono::milliseconds(200)),
                  {{"problem", "no connection within the request's budget", "pg_isready"}});
}

TEST_F(Check, AnOldServerIsNamedWithItsVersion) {
    HostileServer old([](const HostileServer::Request& request) {
        return request.kind == HostileServer::Request::Kind::startup
                   ? HostileServer::startup("11.22")
                   : HostileServer::honest(request);
    });
    expect_faults(check(old.conninfo()),
                  {{"problem", "the server is PostgreSQL 11: too old, 12 or later is required",
                    "upgrade the server"}});
}

TEST_F(Check, AnotherServerThanPostgresqlIsNamed) {
    HostileServer other([](const auto&) {
        return HostileServer::Reply{.once = "HTTP/1.1 400 Bad Request\r\n\r\n", .close = true};
    });
    expect_faults(check(other.conninfo()), {{"problem", "database host ", "is not PostgreSQL"}});
}

TEST_F(Check, EachOfSeveralHostsIsCheckedByItself) {
    const TemporaryDirectory empty;
    const Findings findings =
        check("host=" + empty.path() + "," + database_.host() + " port=5432 user=kheops_webhooks" +
              " dbname=" + database_.name());
    expect_faults(findings, {{"problem", "database host " + empty.path(), "start PostgreSQL"}});
    EXPECT_TRUE(findings.is_ok("database host " + database_.host())) << findings.text();
    EXPECT_TRUE(findings.is_ok("statement: can be prepared")) << findings.text();
}

TEST_F(Check, WhereLibpqFillsGapsInTheHostsTheOneItChoseIsChecked) {
    const Findings findings = check("host=" + database_.host() + ",, port=5432,5432,5432" +
                                    " user=kheops_webhooks dbname=" + database_.name());
    expect_faults(findings, {});
    EXPECT_TRUE(findings.is_ok("database host, which libpq chose: PostgreSQL ")) << findings.text();
}

TEST_F(Check, AHostThatTargetSessionAttrsRejectsIsNamed) {
    const Findings findings = check(conninfo() + " target_session_attrs=read-write");
    expect_faults(findings, {{"problem", "the worker cannot connect: ",
                              "target_session_attrs=primary in place of read-write"}});
    expect_faults(check(conninfo() + " target_session_attrs=standby"),
                  {{"problem", "the worker cannot connect: ", "name a host that"}});
    EXPECT_TRUE(findings.is_ok("primary")) << findings.text();
}

TEST_F(Check, AWrongPasswordIsNamedAndNotPrinted) {
    database_.execute("ALTER ROLE kheops_webhooks PASSWORD 'correct-horse'");
    cluster_->put_access_rule("local " + database_.name() + " kheops_webhooks scram-sha-256");
    std::string wrong;
    await("the server asks for passwords", [&] {
        const Findings findings = check(conninfo() + " password=battery-staple");
        wrong = findings.text();
        return !findings.faults().empty();
    });
    EXPECT_NE(wrong.find("password authentication failed"), std::string::npos) << wrong;
    EXPECT_NE(wrong.find("correct the password"), std::string::npos) << wrong;
    EXPECT_EQ(wrong.find("battery-staple"), std::string::npos) << wrong;

    expect_faults(check(conninfo()), {{"problem", "no password supplied", "give a password"}});
    expect_faults(check(conninfo() + " password=correct-horse"), {});

    const std::string file = directory_->file("password");
    write_file(file, "battery-staple\n");
    DatabaseSettings settings;
    settings.connection = conninfo();
    settings.password_file = file;
    const Findings findings = check(settings);
    expect_faults(findings, {{"problem", "password authentication failed", file}});
    EXPECT_EQ(findings.text().find("battery-staple"), std::string::npos);
}

TEST_F(Check, AMissingDatabaseIsNamed) {
    expect_faults(check(conninfo() + " dbname=nowhere"),
                  {{"problem", "database \"nowhere\" does not exist", "KHEOPS_AUTHDB_NAME"}});
}

TEST_F(Check, AnotherDatabaseThanThatOfKheopsIsNamed) {
    TestDatabase other;
    other.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    expect_faults(check(conninfo() + " dbname=" + other.name()),
                  {{"problem",
                    "missing in database " + other.name() +
                        ": table users, albums, album_user, webhooks, "
                        "webhook_triggers, webhook_attempts",
                    "name the database of Kheops"},
                   {"problem", "statement: fails: relation \"users\" does not exist", "the role"}});
}

TEST_F(Check, AMissingRoleIsNamed) {
    expect_faults(check(as("nobody")),
                  {{"problem", "role \"nobody\" does not exist", "sql/grants.sql"}});
    database_.execute("ALTER ROLE kheops_webhooks NOLOGIN");
    expect_faults(check(conninfo()),
                  {{"problem", "not permitted to log in", "ALTER ROLE kheops_webhooks LOGIN"}});
}

TEST_F(Check, ARejectionByPgHbaIsNamedWithALineForIt) {
    cluster_->put_access_rule("local " + database_.name() + " kheops_webhooks reject");
    await("the server rejects the role", [&] { return !check(conninfo()).faults().empty(); });
    expect_faults(check(conninfo()), {{"problem", "pg_hba.conf rejects connection",
                                       "local " + database_.name() + " kheops_webhooks peer"}});
}

TEST_F(Check, ADatabaseThatTheRoleMayNotUseIsNamed) {
    database_.execute("REVOKE CONNECT ON DATABASE " + database_.name() +
                      " FROM PUBLIC, kheops_webhooks");
    expect_faults(check(conninfo()),
                  {{"problem", "permission denied for database",
                    "GRANT CONNECT ON DATABASE " + database_.name() + " TO kheops_webhooks"}});
}

/// A role that may read the tables themselves, such as one made by hand.
class CheckReader : public Check {
  protected:
    CheckReader() {
        database_.execute(
            "CREATE ROLE reader LOGIN;"
            "GRANT SELECT (pk, sub, inbox_fk) ON users TO reader;"
            "GRANT SELECT (pk, id) ON albums TO reader;"
            "GRANT SELECT (pk, album_fk, user_fk, admin) ON album_user TO reader;"
            "GRANT SELECT ON webhooks TO reader;"
            "GRANT SELECT (pk, id, webhook_fk) ON webhook_triggers TO reader;"
            "GRANT SELECT (webhook_trigger_fk, status) ON webhook_attempts TO reader");
    }
    ~CheckReader() override { database_.drop_role("reader"); }

    const Fault secrets_ = {"warning", "role reader may read secrets: webhooks.secret",
                            "sql/grants.sql, and connect as the role that it makes"};
};

TEST_F(CheckReader, AMissingTableIsNamed) {
    for (const char* table :
         {"users", "albums", "album_user", "webhooks", "webhook_triggers", "webhook_attempts"}) {
        SCOPED_TRACE(table);
        const std::string name(table);
        database_.execute("ALTER TABLE public." + name + " RENAME TO away");
        const std::vector<std::string> faults = check(as("reader")).faults();
        ASSERT_GE(faults.size(), 2U) << testing::PrintToString(faults);
        EXPECT_TRUE(faults[0].starts_with("problem: role reader: missing in database " +
                                          database_.name() + ": table " + name +
                                          " -> name the database of Kheops"))
            << faults[0];
        EXPECT_TRUE(faults[1].starts_with("problem: statement: fails: relation \"" + name +
                                          "\" does not exist (SQLSTATE 42P01) -> correct"))
            << faults[1];
        database_.execute("ALTER TABLE public.away RENAME TO " + name);
    }
    expect_faults(check(as("reader")), {secrets_});
}

/// Of each column that the statement reads, so that the list of the check is that of the statement.
TEST_F(CheckReader, AMissingColumnOrRightIsNamed) {
    int columns = 0;
    for (const std::string& column : database_.column(
             "SELECT DISTINCT table_name || '.' || column_name FROM information_schema.columns "
             "WHERE table_schema = 'public' AND table_name IN ('users', 'albums', 'album_user', "
             "'webhooks', 'webhook_triggers', 'webhook_attempts')")) {
        SCOPED_TRACE(column);
        const std::string table = column.substr(0, column.find('.'));
        const std::string name = column.substr(column.find('.') + 1);
        const std::string rename = "ALTER TABLE public." + table + " RENAME COLUMN ";
        database_.execute(rename + "\"" + name + "\" TO away");
        const std::vector<std::string> faults = check(as("reader")).faults();
        database_.execute(rename + "away TO \"" + name + "\"");
        const auto fails = [&](const std::string& start) {
            return std::any_of(faults.begin(), faults.end(),
                               [&](const std::string& fault) { return fault.starts_with(start); });
        };
        const bool is_read = fails("problem: statement: fails: column ");
        EXPECT_EQ(fails("problem: role reader: public." + table + " has no column " + name +
                        " -> upgrade Kheops"),
                  is_read);
        if (!is_read) {
            continue;
        }
        ++columns;
        if (table == "webhooks") {
            continue;  // granted as a whole
        }
        database_.execute("REVOKE SELECT (" + name + ") ON " + table + " FROM reader");
        expect_faults(
            check(as("reader")),
            {{"problem", "role reader may not read " + name + " of public." + table,
              "GRANT SELECT (" + name + ") ON public." + table + " TO reader"},
             {"problem", "statement: fails: permission denied for table " + table, "the role"},
             secrets_});
        database_.execute("GRANT SELECT (" + name + ") ON " + table + " TO reader");
    }
    EXPECT_EQ(columns, 26);
}

TEST_F(CheckReader, TablesInAnotherSchemaAreFound) {
    database_.execute("CREATE SCHEMA kheops; ALTER TABLE users SET SCHEMA kheops");
    EXPECT_NE(check(as("reader")).faults()[0].find("GRANT USAGE ON SCHEMA kheops TO reader"),
              std::string::npos);
    database_.execute("GRANT USAGE ON SCHEMA kheops TO reader");
    EXPECT_NE(check(as("reader"))
                  .faults()[0]
                  .find("ALTER ROLE reader IN DATABASE " + database_.name() +
                        " SET search_path = kheops, pg_temp"),
              std::string::npos);
}

TEST_F(CheckReader, RowLevelSecurityThatMayHideRowsIsAWarning) {
    database_.execute("ALTER TABLE albums ENABLE ROW LEVEL SECURITY");
    expect_faults(check(as("reader")),
                  {{"warning", "row level security may hide rows of public.albums",
                    "CREATE POLICY kheops_webhooks ON public.albums FOR SELECT TO reader"},
                   secrets_});
}

TEST_F(Check, ARightThatTheGrantedRoleLostIsNamedWithTheScript) {
    const std::string again =
        "run psql -v ON_ERROR_STOP=1 -d " + database_.name() + " -f sql/grants.sql";
    database_.execute("REVOKE SELECT (sub) ON users FROM kheops_webhooks");
    expect_faults(check(conninfo()),
                  {{"problem", "role kheops_webhooks may not read sub of public.users", again},
                   {"problem", "statement: fails", "the role"}});
    // As after a restore of a dump of the database alone.
    database_.execute(
        "GRANT SELECT (sub) ON users TO kheops_webhooks;"
        "ALTER ROLE kheops_webhooks IN DATABASE " +
        database_.name() + " RESET ALL");
    expect_faults(check(conninfo() + " options='-c search_path=public'"),
                  {{"problem", "role kheops_webhooks may not read ", again},
                   {"problem", "statement: fails", "the role"}});
    database_.execute(
        "DROP VIEW kheops_webhooks.webhooks;"
        "CREATE VIEW kheops_webhooks.webhooks AS SELECT pk FROM public.webhooks;"
        "GRANT SELECT ON kheops_webhooks.webhooks TO kheops_webhooks");
    expect_faults(check(conninfo() + " options='-c search_path=kheops_webhooks,public'"),
                  {{"problem", "kheops_webhooks.webhooks has no column id, name, url", again},
                   {"problem", "statement: fails", "the role"}});
}

TEST_F(Check, ARoleThatMayReadSecretsOrPersonalDataIsAWarning) {
    const std::string revoke =
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM kheops_webhooks, PUBLIC, then psql";
    database_.execute("GRANT SELECT (secret) ON public.webhooks TO kheops_webhooks");
    expect_faults(check(conninfo()), {{"warning", "may read secrets: webhooks.secret", revoke}});
    database_.execute(
        "GRANT SELECT (email) ON users TO PUBLIC;"
        "GRANT SELECT ON studies TO PUBLIC");
    expect_faults(check(conninfo()),
                  {{"warning", "may read secrets: webhooks.secret", revoke},
                   {"warning", "studies.patient_id, studies.patient_name, users.email", revoke}});
    database_.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM kheops_webhooks, PUBLIC");
    expect_script(kGrants, database_, "");
    expect_faults(check(conninfo()), {});
}

TEST_F(Check, ARoleThatMayWriteIsAWarning) {
    database_.execute(
        "GRANT UPDATE (name) ON albums TO kheops_webhooks;"
        "GRANT DELETE ON webhooks TO kheops_webhooks");
    expect_faults(check(conninfo()),
                  {{"warning", "role kheops_webhooks may write: albums, webhooks",
                    "REVOKE ALL ON ALL TABLES"}});
}

TEST_F(Check, ARoleThatIsMoreThanAReaderIsAWarning) {
    database_.execute(
        "ALTER ROLE kheops_webhooks CREATEDB; CREATE ROLE clerk;"
        "GRANT clerk TO kheops_webhooks");
    expect_faults(
        check(conninfo()),
        {{"warning", "more than a reader: CREATEDB", "ALTER ROLE kheops_webhooks NOCREATEDB"},
         {"warning", "a member of roles and may do what they may: clerk",
          "REVOKE clerk FROM kheops_webhooks"}});
    database_.execute("DROP ROLE clerk");
    const Findings superuser = check(database_.conninfo());
    const std::string grants = "connect as the role that it makes";
    expect_faults(superuser, {{"warning", "secrets: capabilities.secret, webhooks.secret", grants},
                              {"warning", "personal data", grants},
                              {"warning", "may write: album_series, album_user", grants},
                              {"warning", "SUPERUSER", grants}});
}

TEST_F(Check, AConnectionLimitBelowTheThreadsIsAWarning) {
    const auto expect_limit = [&](const std::string& found, const std::string& remedy) {
        expect_faults(check(conninfo()), {{"warning", found, remedy}});
    };
    database_.execute("ALTER ROLE kheops_webhooks CONNECTION LIMIT 3");
    expect_limit("connections: role kheops_webhooks 3 (0 in use by others): fewer than the 4",
                 "ALTER ROLE kheops_webhooks CONNECTION LIMIT 4, or set KHEOPS_WEBHOOKS_THREADS=3");
    database_.execute("ALTER ROLE kheops_webhooks CONNECTION LIMIT 4");
    expect_faults(check(conninfo()), {});
    {
        // The running worker, whose connections are those that the threads need, and another.
        const TestConnection worker(conninfo() + " application_name=kheops-webhooks");
        expect_faults(check(conninfo()), {});
        const TestConnection other(conninfo() + " application_name=psql");
        expect_limit("role kheops_webhooks 4 (1 in use by others)",
                     "CONNECTION LIMIT 5, or set KHEOPS_WEBHOOKS_THREADS=3");
    }
    database_.execute("ALTER ROLE kheops_webhooks CONNECTION LIMIT -1; ALTER DATABASE " +
                      database_.name() + " CONNECTION LIMIT 2");
    expect_limit("connections: database " + database_.name() + " 2 (1 in use by others)",
                 "ALTER DATABASE " + database_.name() +
                     " CONNECTION LIMIT 5, or set KHEOPS_WEBHOOKS_THREADS=1");
    database_.execute("ALTER DATABASE " + database_.name() + " CONNECTION LIMIT -1");
    std::vector<std::unique_ptr<TestConnection>> others;
    for (int i = 0; i < 13; ++i) {
        others.push_back(std::make_unique<TestConnection>(database_.conninfo()));
    }
    // Two are TestDatabase's own.
    expect_limit("connections: server 17 (15 in use by others)", "max_connections");
    others.clear();
    database_.execute("ALTER ROLE kheops_webhooks CONNECTION LIMIT 0");
    expect_faults(check(conninfo()),
                  {{"problem", "too many connections for role", "CONNECTION LIMIT"}});
}

TEST_F(Check, ASchemaOfTheSearchPathInWhichOthersMayCreateIsAWarning) {
    database_.execute("GRANT CREATE ON SCHEMA public TO PUBLIC");
    expect_faults(check(conninfo()),
                  {{"warning", "search_path: in schema public, others may create",
                    "REVOKE CREATE ON SCHEMA public FROM PUBLIC"}});
    database_.execute(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE \"a b\";"
        "GRANT CREATE ON SCHEMA kheops_webhooks TO \"a b\"");
    expect_faults(check(conninfo()), {{"warning", "CVE-2018-1058): \"a b\"",
                                       "REVOKE CREATE ON SCHEMA kheops_webhooks FROM \"a b\""}});
    database_.drop_role("\"a b\"");
}

TEST_F(Check, ALockedTableIsNamedWithTheSearchForItsHolder) {
    const auto lock = database_.lock_table("users");
    expect_faults(check(conninfo(), std::chrono::milliseconds(600)),
                  {{"problem", "statement: waits for a locked table", "pg_locks"}});
}

TEST_F(Check, ObjectsPlantedInPublicAreNotUsed) {
    database_.execute(
        "CREATE ROLE planter LOGIN; GRANT CREATE ON SCHEMA public TO planter;"
        "ALTER ROLE kheops_webhooks IN DATABASE " +
        database_.name() + " SET search_path = kheops_webhooks, public, pg_catalog");
    {
        TestConnection planter(as("planter"));
        plant_objects(planter, "public");
    }
    expect_faults(check(conninfo()), {{"warning", "search_path: in schema public", "planter"}});
    database_.drop_role("planter");
}

/// With sql/accelerate.sql.
class CheckAccelerated : public Check {
  protected:
    CheckAccelerated() { expect_script(kAccelerate, database_, "the list is accelerated"); }

    void expect_fault(const std::string& made, const std::string& grade, const std::string& found) {
        SCOPED_TRACE(made);
        database_.execute(made);
        expect_faults(check(conninfo()), {{grade, "accelerate.sql: " + found,
                                           "run, on the primary, psql -v ON_ERROR_STOP=1 -d " +
                                               database_.name() + " -f sql/accelerate.sql"}});
        // The remedy is one.
        expect_script(kAccelerate, database_, "the list is accelerated");
        expect_faults(check(conninfo()), {});
    }
};

TEST_F(CheckAccelerated, AHalfInstalledOneIsNamedWithWhatIsMissing) {
    expect_fault("DROP INDEX kheops_webhooks_newest", "problem",
                 "half installed: missing index kheops_webhooks_newest");
    expect_fault("DROP TABLE kheops_webhooks_accelerate.ready", "problem",
                 "half installed: missing table ready");
    expect_fault("DROP TRIGGER kheops_webhooks_count_update ON webhook_triggers", "problem",
                 "half installed: missing trigger kheops_webhooks_count_update");
    expect_fault("DROP FUNCTION kheops_webhooks_accelerate.check_and_repair()", "problem",
                 "half installed: missing function check_and_repair");
    expect_fault("DROP SCHEMA kheops_webhooks_accelerate CASCADE", "problem",
                 "half installed: missing schema kheops_webhooks_accelerate, table counts");
}

TEST_F(CheckAccelerated, ADisabledTriggerIsNamed) {
    const std::string alter = "ALTER TABLE webhook_triggers ";
    expect_fault(alter + "DISABLE TRIGGER kheops_webhooks_count_insert", "problem",
                 "not in force: disabled: trigger kheops_webhooks_count_insert");
    expect_fault(alter + "DISABLE TRIGGER ALL", "problem",
                 "not in force: disabled: trigger kheops_webhooks_count_delete, "
                 "kheops_webhooks_count_insert, kheops_webhooks_count_replicated");
    expect_fault(alter + "DISABLE TRIGGER kheops_webhooks_count_insert;" + alter +
                     "ENABLE ALWAYS TRIGGER kheops_webhooks_count_insert",
                 "problem", "not in force: a trigger was disabled, altered or restored");
}

TEST_F(CheckAccelerated, ACountThatIsNotInForceIsNamedWithTheReason) {
    expect_fault("INSERT INTO kheops_webhooks_accelerate.doubts VALUES (now(), '42703')", "problem",
                 "not in force: changes were not counted (table doubts: ");
    expect_fault("UPDATE kheops_webhooks_accelerate.ready SET counted_by = counted_by", "problem",
                 "not in force: the count was restored from a dump");
    expect_fault("UPDATE kheops_webhooks_accelerate.ready SET webhook_fk = 1", "problem",
                 "not in force: another table or column was counted");
}

TEST_F(CheckAccelerated, AnotherVersionIsAWarning) {
    expect_fault(
        "DO $$ DECLARE f text := pg_get_functiondef("
        "'kheops_webhooks_accelerate.fold(bigint)'::regprocedure); BEGIN EXECUTE replace(f, "
        "'10000', '1000'); END $$",
        "warning", "in force, but of another version");
    expect_fault(
        "CREATE FUNCTION kheops_webhooks_accelerate.count_changes() RETURNS trigger "
        "LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "warning", "in force, but of another version");
    expect_fault(
        "DROP INDEX kheops_webhooks_newest;"
        "CREATE INDEX kheops_webhooks_newest ON webhook_triggers (webhook_fk, pk DESC)",
        "warning", "in force, but of another version");
}

TEST_F(CheckAccelerated, TablesThatTheRoleMayNotReadAreNamed) {
    database_.execute("REVOKE USAGE ON SCHEMA kheops_webhooks_accelerate FROM PUBLIC");
    expect_faults(check(conninfo()),
                  {{"problem", "role kheops_webhooks may not read its tables", "GRANT USAGE"}});
    database_.execute(
        "GRANT USAGE ON SCHEMA kheops_webhooks_accelerate TO PUBLIC;"
        "REVOKE SELECT ON kheops_webhooks_accelerate.doubts FROM PUBLIC");
    expect_faults(check(conninfo()),
                  {{"problem", "role kheops_webhooks may not read its tables", "GRANT SELECT"}});
}

class CheckStandby : public testing::Test {
  protected:
    CheckStandby() {
        primary_.load({"sql/schema.sql", "sql/example-data.sql", kGrants});
        standby_ = TestCluster::standby_of(primary_);
        TestConnection(primary_.conninfo()).execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        await("the standby has replayed a transaction", [&] {
            change();
            return !TestConnection(standby_->conninfo())
                        .execute("SELECT pg_last_xact_replay_timestamp()")
                        .is_null(0, 0);
        });
    }

    void change() {
        TestConnection(primary_.conninfo()).execute("UPDATE albums SET name = name WHERE pk = 1");
    }

    /// In a configuration that names both.
    [[nodiscard]] Findings check_both(const std::string& more = "") const {
        return check("host=" + primary_.host() + "," + standby_->host() +
                     " port=5432 user=kheops_webhooks dbname=postgres" + more);
    }
    [[nodiscard]] std::string place() const { return "database host " + standby_->host(); }

    TestCluster primary_;
    std::unique_ptr<TestCluster> standby_;
};

TEST_F(CheckStandby, WhatIsWrongWithItsReplayIsAWarning) {
    await("the standby is up to date", [&] { return check_both().is_ok("standby, up to date"); });
    expect_faults(check_both(" target_session_attrs=primary"), {});

    TestConnection standby(standby_->conninfo());
    standby.execute("SELECT pg_wal_replay_pause()");
    expect_faults(check_both(), {{"warning", place() + " port 5432: PostgreSQL ",
                                  "SELECT pg_wal_replay_resume()"}});
    standby.execute("SELECT pg_wal_replay_resume()");
    await("the standby is up to date", [&] { return check_both().is_ok("standby, up to date"); });

    // A standby that replays an hour late.
    standby.execute("ALTER SYSTEM SET recovery_min_apply_delay = '1h'");
    standby.execute("SELECT pg_reload_conf()");
    Findings findings;
    await("the standby is far behind", [&] {
        change();
        findings = check_both();
        return !findings.faults().empty();
    });
    expect_faults(findings, {{"warning", "standby far behind its primary: its newest transaction",
                              "target_session_attrs=primary"}});

    primary_.stop();
    expect_faults(check("host=" + standby_->host() + " user=kheops_webhooks dbname=postgres"),
                  {{"warning", "it receives nothing from its primary", "primary_conninfo"}});
    expect_faults(check("host=" + standby_->host() +
                        " user=kheops_webhooks dbname=postgres target_session_attrs=primary"),
                  {{"warning", "it receives nothing", "primary_conninfo"},
                   {"problem", "the worker cannot connect", "target_session_attrs"}});
    primary_.start();
}

/// What can be known through pgbouncer.
TEST(CheckPooler, IsNamedAndItsLimitsToo) {
    const TestCluster cluster;
    cluster.load({"sql/schema.sql", "sql/example-data.sql"});
    TestConnection(cluster.conninfo()).execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    for (const char* mode : {"session", "transaction", "statement"}) {
        SCOPED_TRACE(mode);
        const TestPooler pooler(cluster, mode, 2);
        const Findings findings = check(pooler.conninfo());
        const std::vector<std::string> faults = findings.faults();
        ASSERT_FALSE(faults.empty());
        EXPECT_NE(faults[0].find("pooler: there is one"), std::string::npos) << faults[0];
        EXPECT_NE(faults[0].find("SET statement_timeout = '10s'"), std::string::npos) << faults[0];
        if (mode == std::string("statement")) {
            ASSERT_EQ(faults.size(), 2U) << findings.text();
            EXPECT_NE(faults[1].find("not all could be looked at"), std::string::npos) << faults[1];
            continue;
        }
        EXPECT_TRUE(findings.is_ok("primary")) << findings.text();
        EXPECT_TRUE(findings.is_ok("statement: can be prepared")) << findings.text();
        EXPECT_TRUE(findings.is_ok("default_pool_size should be at least 4")) << findings.text();
        // The superuser's rights.
        EXPECT_EQ(faults.size(), 5U) << findings.text();
        TestConnection other(pooler.conninfo());
        EXPECT_EQ(other.execute("SHOW search_path").text(0, 0), "\"$user\", public");
        EXPECT_EQ(other.execute("SHOW transaction_read_only").text(0, 0), "off");
    }
}

}  // namespace
}  // namespace kheops::test
