// SPDX-License-Identifier: MIT

// sql/accelerate.sql and sql/accelerate-undo.sql, run as an administrator runs them: the count is
// exact after any change of the triggers, and no writer waits or fails because of it. `make prove`
// tests the same with random changes, and for longer.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"
#include "support/subscription.hpp"
#include "support/temporary_directory.hpp"
#include "support/wrong_counts.hpp"

namespace kheops::test {
namespace {

constexpr const char* kAccelerate = "sql/accelerate.sql";
constexpr const char* kUndo = "sql/accelerate-undo.sql";
constexpr const char* kInstalled = "the list is accelerated";

/// The example data: an album with five webhooks (primary keys 1 to 5) and 13 triggers.
class Accelerate : public testing::Test {
  protected:
    Accelerate()
        : database_({"sql/schema.sql", "sql/example-data.sql"}),
          connection_(database_.conninfo()) {}

    /// Creates a role that owns the tables and may run accelerate.sql.
    void create_owner(const std::string& role) {
        database_.execute("CREATE ROLE " + role + " LOGIN");
        database_.execute("GRANT CREATE ON DATABASE " + database_.name() + " TO " + role);
        database_.execute("GRANT CREATE ON SCHEMA public TO " + role);
        for (const char* table : {"webhook_triggers", "webhooks", "webhook_attempts"}) {
            database_.execute(std::string("ALTER TABLE ") + table + " OWNER TO " + role);
        }
    }

    void install() { expect_script(kAccelerate, database_, kInstalled); }

    /// A connection on which a statement fails if it waits 5 s for another connection's lock.
    [[nodiscard]] std::unique_ptr<TestConnection> writer() const {
        auto connection = std::make_unique<TestConnection>(database_.conninfo());
        connection->execute("SET lock_timeout = '5s'");
        return connection;
    }

    static std::string insert(int webhook, int triggers = 1) {
        return "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
               "SELECT '-' || left(md5(random()::text), 29), " +
               std::to_string(webhook) + ", true, false FROM generate_series(1, " +
               std::to_string(triggers) + ")";
    }

    void expect_exact(const std::string& after = "") {
        EXPECT_EQ(wrong_counts(connection_), "") << after;
        EXPECT_EQ(accelerated(kAccelerated), "yes") << after;
    }

    std::int64_t rows_of(const std::string& table, int webhook) {
        return std::stoll(database_
                              .execute("SELECT count(*) FROM kheops_webhooks_accelerate." + table +
                                       " WHERE webhook_fk = " + std::to_string(webhook))
                              .text(0, 0));
    }

    /// Adds a change of 0 directly, so that no trigger folds it by chance.
    void add_change(int webhook) {
        database_.execute("INSERT INTO kheops_webhooks_accelerate.changes VALUES (" +
                          std::to_string(webhook) + ", txid_current(), 0)");
    }

    std::int64_t changes() {
        return std::stoll(
            database_.column("SELECT count(*) FROM kheops_webhooks_accelerate.changes")[0]);
    }

    /// Whether the statement reports that the count is valid: "yes", "no", or "failed".
    std::string accelerated(const char* statement) { return accelerated_in(database_, statement); }

    static std::string accelerated_in(const TestDatabase& database, const char* statement) {
        TestConnection connection(database.conninfo());
        try {
            prepare_list(connection, statement);
            return list(connection, {"alice", "DemoAlbum1"}).text(0, "accelerated").empty() ? "no"
                                                                                            : "yes";
        } catch (const std::runtime_error&) {
            return "failed";
        }
    }

    TestDatabase database_;
    TestConnection connection_;
};

TEST_F(Accelerate, EveryKindOfChangeIsCounted) {
    install();
    expect_exact("the installation");
    const std::string copied =
        "COPY webhook_triggers (id, webhook_fk, new_series, new_user) FROM PROGRAM "
        "'printf \"copied %d\\t%d\\tt\\tf\\n\" 1 1 2 1 3 2'";
    const std::vector<std::string> changes = {
        insert(1),
        insert(2, 1000),
        "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
        "SELECT 'many ' || n, 1 + n % 5, true, false FROM generate_series(1, 103) AS n",
        "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) VALUES "
        "('many 1', 3, true, false), ('new', 3, true, false) "
        "ON CONFLICT (id) DO UPDATE SET webhook_fk = 4",
        "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) VALUES "
        "('many 1', 3, true, false) ON CONFLICT DO NOTHING",
        copied,
        "UPDATE webhook_triggers SET webhook_fk = 5 WHERE id LIKE 'many 1%'",
        "UPDATE webhook_triggers SET webhook_fk = 1 + (webhook_fk + 1) % 5",
        "UPDATE webhook_triggers SET new_user = true",
        "UPDATE webhook_triggers SET webhook_fk = webhook_fk WHERE pk % 2 = 0",
        "WITH moved AS (DELETE FROM webhook_triggers WHERE id LIKE 'many 2%' RETURNING *) "
        "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
        "SELECT 'moved ' || id, 1, true, false FROM moved",
        "DELETE FROM webhook_triggers WHERE id = 'copied 1'",
        "DELETE FROM webhook_triggers WHERE id LIKE 'many%'",
        "DELETE FROM webhook_triggers WHERE false",
        "BEGIN; " + insert(1, 7) + "; ROLLBACK",
        "BEGIN; " + insert(1) + "; SAVEPOINT s; " + insert(1) + "; " + insert(2) +
            "; ROLLBACK TO s; " + insert(1) + "; SAVEPOINT r; " + insert(1) + "; RELEASE r; " +
            insert(1) + "; COMMIT",
        "BEGIN; SAVEPOINT s; " + insert(4) + "; ROLLBACK TO s; " + insert(4) + "; COMMIT",
        "BEGIN; " + insert(4) + "; TRUNCATE webhook_triggers CASCADE; " + insert(4, 3) + "; " +
            insert(4) + "; ROLLBACK",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; " + insert(4) + "; " + insert(4) + "; " +
            insert(5) + "; " + insert(4) + "; COMMIT",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; DELETE FROM webhook_triggers WHERE webhook_fk = 2 "
        "AND NOT EXISTS (SELECT FROM webhook_attempts WHERE webhook_trigger_fk = "
        "webhook_triggers.pk); COMMIT",
        insert(4),
        "BEGIN; SET LOCAL session_replication_role = replica; " + insert(2, 3) + "; " + insert(4) +
            "; DELETE FROM webhook_triggers WHERE webhook_fk = 3; COMMIT",
        "BEGIN; " + insert(4) + "; TRUNCATE webhook_triggers CASCADE; " + insert(4, 3) + "; " +
            insert(4) + "; COMMIT",
        "TRUNCATE webhooks CASCADE",
    };
    for (const std::string& change : changes) {
        database_.execute(change);
        expect_exact(change);
    }
    EXPECT_EQ(this->changes(), 0);
    EXPECT_EQ(database_.column("SELECT count(*) FROM kheops_webhooks_accelerate.counts")[0], "0");
}

TEST_F(Accelerate, AFailedInsertIsNotCounted) {
    install();
    TestConnection connection(database_.conninfo());
    EXPECT_EQ(connection.failure_of(insert(77)), "23503");
    EXPECT_EQ(connection.failure_of("INSERT INTO webhook_triggers (id, webhook_fk, new_series, "
                                    "new_user) VALUES ('a', 1, true, true), ('a', 1, true, true)"),
              "23505");
    expect_exact();
    EXPECT_EQ(rows_of("changes", 77), 0);
}

/// Kheops deletes a webhook like this: trigger by trigger, in one transaction.
TEST_F(Accelerate, WritersOfOtherWebhooksFoldTheChangesOfADeletedWebhook) {
    install();
    database_.execute(insert(2, 20000));
    database_.execute("SET max_parallel_workers_per_gather = 0");
    database_.execute(
        "DO $$ DECLARE t bigint; BEGIN FOR t IN SELECT pk FROM webhook_triggers WHERE webhook_fk = "
        "2 LOOP DELETE FROM webhook_triggers WHERE pk = t; END LOOP; DELETE FROM webhooks WHERE pk "
        "= 2; END $$");
    expect_exact();
    EXPECT_GE(rows_of("changes", 2), 20000);
    for (int round = 0; round < 100 && rows_of("changes", 2) > 0; ++round) {
        database_.execute("DO $$ BEGIN FOR n IN 1..1000 LOOP " + insert(1) + "; END LOOP; END $$");
    }
    EXPECT_EQ(rows_of("changes", 2), 0);
    expect_exact();
    database_.execute("SELECT kheops_webhooks_accelerate.check_and_repair()");
    EXPECT_EQ(rows_of("counts", 2), 0);
    expect_exact();
}

TEST_F(Accelerate, WritersInOppositeOrderNeitherWaitNorDeadlock) {
    install();
    const auto one = writer();
    const auto other = writer();
    for (const char* isolation : {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}) {
        for (const auto& connection : {one.get(), other.get()}) {
            connection->execute(std::string("BEGIN ISOLATION LEVEL ") + isolation);
        }
        one->execute(insert(1));
        other->execute(insert(2));
        one->execute(insert(2));
        other->execute(insert(1));
        one->execute("DELETE FROM webhook_triggers WHERE id = 'm4WtFk8NzJv1XcSy6RbGd3LhQpE9Au'");
        one->execute("COMMIT");
        other->execute("COMMIT");
        expect_exact(isolation);
    }
}

/// Otherwise what a fold reads could cause a serialization failure.
TEST_F(Accelerate, ASerializableWriterFoldsOnlyIfNoOtherTransactionHasWritten) {
    install();
    const std::string fold = "SELECT kheops_webhooks_accelerate.fold_now_and_then(1)";
    const auto one = writer();
    const auto other = writer();
    add_change(1);
    other->execute("BEGIN; SELECT txid_current()");
    one->execute("BEGIN ISOLATION LEVEL SERIALIZABLE; " + fold);
    one->execute("COMMIT");
    EXPECT_EQ(rows_of("changes", 1), 1);
    other->execute("COMMIT");
    one->execute("BEGIN ISOLATION LEVEL SERIALIZABLE; " + fold + "; COMMIT");
    EXPECT_EQ(rows_of("changes", 1), 0);
    expect_exact();
}

TEST_F(Accelerate, AWriterWithAnOldSnapshotDoesNotFail) {
    install();
    const auto old = writer();
    const std::string fold = "SELECT kheops_webhooks_accelerate.fold(1)";
    for (const char* isolation : {"REPEATABLE READ", "SERIALIZABLE"}) {
        database_.execute(insert(1));
        old->execute(std::string("BEGIN ISOLATION LEVEL ") + isolation);
        old->execute("SELECT 1");
        database_.execute(insert(1));
        database_.execute(insert(3));
        database_.execute(fold);
        old->execute(insert(1));
        old->execute(insert(3));
        EXPECT_EQ(old->failure_of(fold), "") << isolation;
        old->execute(insert(1));
        old->execute("COMMIT");
        expect_exact(isolation);
    }
}

TEST_F(Accelerate, AFoldSkipsChangesThatAnotherFoldHasLocked) {
    install();
    const auto one = writer();
    const auto other = writer();
    // A fold catches the error of a lock_timeout, but not that of a statement_timeout.
    other->execute("SET lock_timeout = 0; SET statement_timeout = '5s'");
    const std::string fold = "SELECT kheops_webhooks_accelerate.fold(1)";
    add_change(1);
    add_change(1);
    one->execute("BEGIN");
    one->execute(fold);
    other->execute("BEGIN");
    other->execute("INSERT INTO kheops_webhooks_accelerate.changes VALUES (1, txid_current(), 0)");
    other->execute(fold);
    other->execute("COMMIT");
    expect_exact();
    one->execute("ROLLBACK");
    expect_exact();
    EXPECT_EQ(rows_of("changes", 1), 3);
    database_.execute(fold);
    EXPECT_EQ(rows_of("changes", 1), 0);
    expect_exact();
}

/// A fold takes a limited number of changes; the next one takes the rest.
TEST_F(Accelerate, ManyChangesOfOneTransactionAreFoldedInParts) {
    install();
    for (const int many : {9999, 10000, 10001, 25000}) {
        database_.execute("DO $$ BEGIN FOR n IN 1.." + std::to_string(many) + " LOOP " + insert(1) +
                          "; END LOOP; END $$");
        for (int fold = 0; fold < 4; ++fold) {
            database_.execute("SELECT kheops_webhooks_accelerate.fold(1)");
            EXPECT_EQ(wrong_counts(connection_), "") << many << " " << fold;
        }
        EXPECT_EQ(rows_of("changes", 1), 0) << many;
    }
}

/// The open transaction's number is smaller than those of the changes that are folded meanwhile.
TEST_F(Accelerate, AFoldDoesNotMissTheChangesOfAnOlderOpenTransaction) {
    install();
    for (const int many : {1, 10001}) {
        const auto older = writer();
        older->execute("BEGIN; SELECT txid_current()");
        database_.execute("DO $$ BEGIN FOR n IN 1.." + std::to_string(many) + " LOOP " + insert(1) +
                          "; END LOOP; END $$");
        older->execute(insert(1));
        database_.execute("SELECT kheops_webhooks_accelerate.fold(1)");
        older->execute("COMMIT");
        expect_exact(std::to_string(many));
        database_.execute("SELECT kheops_webhooks_accelerate.fold(1)");
        expect_exact(std::to_string(many));
    }
}

TEST_F(Accelerate, AFoldWithoutChangesAdvancesChangesFrom) {
    install();
    database_.execute("SELECT kheops_webhooks_accelerate.fold(77)");
    EXPECT_EQ(rows_of("counts", 77), 0);
    const std::string changes_from =
        "SELECT changes_from FROM kheops_webhooks_accelerate.counts WHERE webhook_fk = 1";
    const std::int64_t before = std::stoll(database_.column(changes_from)[0]);
    // An open transaction in another database may delay it.
    await("a fold without changes advances changes_from", [&] {
        database_.execute("SELECT kheops_webhooks_accelerate.fold(1)");
        return std::stoll(database_.column(changes_from)[0]) > before;
    });
}

TEST_F(Accelerate, ChangesDoNotAccumulateInAnyIsolationLevel) {
    install();
    for (const char* isolation : {"read committed", "repeatable read", "serializable"}) {
        const auto connection = writer();
        connection->execute(std::string("SET default_transaction_isolation = '") + isolation + "'");
        for (int i = 0; i < 4000; ++i) {
            connection->execute(insert(1));
        }
        // One insert in 64 folds. The probability that none of 1,500 does is 10^-10.
        EXPECT_LT(changes(), 1500) << isolation;
        expect_exact(isolation);
    }
}

/// If an insert read the dead rows that its own transaction, or others since an old snapshot, have
/// left, many inserts would take quadratic time. Block counts do not depend on the machine.
TEST_F(Accelerate, AnInsertReadsNoMoreBlocksAfterManyOthers) {
    install();
    database_.execute(
        "CREATE FUNCTION insert_many(many integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "FOR n IN 1..many LOOP INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
        "VALUES ('-' || left(md5(random()::text), 29), 1 + n % 2, true, false); END LOOP; END $$");
    const auto blocks_of_1000 = [this] {
        std::string plan;
        return blocks_of(connection_, "SELECT insert_many(1000)", plan);
    };
    const std::int64_t at_first = blocks_of_1000();
    {
        SCOPED_TRACE("in one transaction");
        connection_.execute("BEGIN; SELECT insert_many(20000)");
        EXPECT_LT(blocks_of_1000(), 2 * at_first);
        connection_.execute("COMMIT");
    }
    {
        SCOPED_TRACE("beside an old snapshot");
        std::string fold_plan;
        const auto old = writer();
        old->execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM webhooks");
        for (int i = 0; i < 2000; ++i) {
            database_.execute("SELECT insert_many(10)");
        }
        EXPECT_LT(blocks_of_1000(), 2 * at_first);
        const std::string fold = "SELECT kheops_webhooks_accelerate.fold(1)";
        await("a fold skips the dead rows of earlier folds",
              [&] { return blocks_of(connection_, fold, fold_plan) < 60; });
        database_.execute("SELECT kheops_webhooks_accelerate.fold(2)");
        TestConnection connection(database_.conninfo());
        prepare_list(connection, kAccelerated);
        std::string plan;
        EXPECT_LT(blocks_for_list(connection, {"alice", "DemoAlbum1"}, plan), 150) << plan;
        old->execute("COMMIT");
    }
    expect_exact();
}

TEST_F(Accelerate, APlanMadeWithoutChangesIsGoodForManyChanges) {
    install();
    database_.execute(
        "ALTER TABLE kheops_webhooks_accelerate.changes SET (autovacuum_enabled = off)");
    prepare_list(connection_, kAccelerated);
    std::string plan;
    const std::int64_t before = blocks_for_list(connection_, {"alice", "DemoAlbum1"}, plan);
    TestConnection folding(database_.conninfo());
    const std::string fold = "SELECT kheops_webhooks_accelerate.fold(1)";
    for (int i = 0; i < 10; ++i) {
        folding.execute(fold);
    }
    const std::int64_t fold_before = blocks_of(folding, fold, plan);
    database_.execute(
        "INSERT INTO kheops_webhooks_accelerate.changes SELECT 1000 + n, 1, 0 "
        "FROM generate_series(1, 100000) AS n");
    EXPECT_LT(blocks_for_list(connection_, {"alice", "DemoAlbum1"}, plan), before + 100) << plan;
    folding.execute(fold);
    EXPECT_LT(blocks_of(folding, fold, plan), fold_before + 100) << plan;
}

TEST_F(Accelerate, AWriterNeedsNoRightsOnTheCount) {
    install();
    const std::string role = "accelerate_writer_" + database_.name();
    database_.execute("CREATE ROLE " + role + " LOGIN");
    database_.execute("GRANT SELECT, INSERT, DELETE ON webhook_triggers TO " + role);
    {
        TestConnection connection(database_.conninfo() + " user=" + role);
        connection.execute(insert(1));
        connection.execute("DELETE FROM webhook_triggers WHERE id LIKE '%-%'");
        const char* const not_allowed = "42501";
        for (const char* sql : {"INSERT INTO kheops_webhooks_accelerate.changes VALUES (1, 1, 1)",
                                "UPDATE kheops_webhooks_accelerate.counts SET n = 0",
                                "DELETE FROM kheops_webhooks_accelerate.doubts",
                                "DELETE FROM kheops_webhooks_accelerate.ready",
                                "SELECT kheops_webhooks_accelerate.fold(1)",
                                "SELECT kheops_webhooks_accelerate.check_and_repair()",
                                "CREATE TABLE kheops_webhooks_accelerate.mine ()"}) {
            EXPECT_EQ(connection.failure_of(sql), not_allowed) << sql;
        }
        connection.execute(
            "SELECT * FROM kheops_webhooks_accelerate.counts, "
            "kheops_webhooks_accelerate.changes");
    }
    expect_exact();
    database_.drop_role(role);
}

/// A subscriber without the tables of accelerate.sql would stop at the first change of them.
TEST_F(Accelerate, APublicationOfAllTablesIsRefused) {
    database_.execute("CREATE PUBLICATION everything FOR ALL TABLES");
    const std::string before = describe(database_);
    expect_refused(kAccelerate, database_, "publication everything publishes all tables");
    EXPECT_EQ(describe(database_), before);

    database_.execute("DROP PUBLICATION everything");
    install();
    if (std::stoi(database_.column("SHOW server_version_num")[0]) >= 150000) {
        database_.execute(
            "CREATE PUBLICATION its_own FOR TABLES IN SCHEMA kheops_webhooks_accelerate");
        EXPECT_EQ(run_script(kAccelerate, database_).status, 3);
    }
}

TEST_F(Accelerate, SubscribersThatHaveTheTablesContinue) {
    TestDatabase subscriber({"sql/schema.sql", "sql/example-data.sql"});
    database_.execute("CREATE PUBLICATION everything FOR ALL TABLES");
    Subscription subscription(database_, subscriber, "everything");
    database_.execute(insert(1));
    subscription.await_caught_up();

    // Run the statements in the header of accelerate.sql on the subscriber.
    const std::string file = read_source(kAccelerate);
    const std::string comment = "--     ";
    int statements = 0;
    for (size_t at = file.find(comment + "CREATE "); at != std::string::npos;
         at = file.find(comment + "CREATE ", at + 1)) {
        const size_t from = at + comment.size();
        subscriber.execute(file.substr(from, file.find('\n', from) - from));
        ++statements;
    }
    EXPECT_EQ(statements, 5);
    const Outcome outcome =
        run(client_command("psql -X -v ON_ERROR_STOP=1 -v subscribers_have_tables=yes", database_) +
            " -f " KHEOPS_SOURCE_DIR "/" + kAccelerate);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    subscriber.execute(
        "ALTER SUBSCRIPTION " +
        subscriber.column("SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM "
                          "pg_database WHERE datname = current_database())")[0] +
        " REFRESH PUBLICATION WITH (copy_data = false)");
    for (int i = 0; i < 300; ++i) {
        database_.execute(insert(1));
    }
    database_.execute("DELETE FROM webhook_triggers WHERE id LIKE '%-%'");
    database_.execute("SELECT kheops_webhooks_accelerate.check_and_repair()");
    database_.execute(insert(2));
    subscription.await_caught_up();
    const std::string triggers = "SELECT count(*) FROM webhook_triggers";
    EXPECT_EQ(subscriber.column(triggers), database_.column(triggers));
    expect_exact();
    EXPECT_EQ(accelerated_in(subscriber, kAccelerated), "no");
}

TEST_F(Accelerate, ARepairCorrectsWrongCounts) {
    install();
    const std::string repair = "SELECT kheops_webhooks_accelerate.check_and_repair()";
    const std::string wrong =
        "DELETE FROM kheops_webhooks_accelerate.changes; "
        "UPDATE kheops_webhooks_accelerate.counts SET n = n + 7 WHERE webhook_fk = 1";
    EXPECT_EQ(database_.column(repair)[0], "0");
    database_.execute(insert(2) + "; " + insert(4) + "; " + wrong);
    EXPECT_EQ(database_.column(repair)[0], "3");
    expect_exact();
    EXPECT_EQ(database_.column(repair)[0], "0");

    // Repair while a writer's transaction is open.
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    database_.execute(wrong);
    EXPECT_EQ(database_.column(repair)[0], "1");
    busy->execute(insert(1) + "; COMMIT");
    expect_exact();

    TestConnection connection(database_.conninfo());
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    EXPECT_EQ(connection.failure_of(repair), "P0001");
}

TEST_F(Accelerate, ARepairFoldsAllChanges) {
    install();
    for (int i = 0; i < 10; ++i) {
        database_.execute(insert(1 + i % 5));
    }
    database_.execute("SELECT kheops_webhooks_accelerate.check_and_repair()");
    EXPECT_EQ(changes(), 0);
    expect_exact();
}

/// A migration may change rows and then the table.
TEST_F(Accelerate, AWriterThatHasFoldedCanLockTheTableDuringARepair) {
    install();
    const auto busy = writer();
    busy->execute("BEGIN");
    busy->execute(insert(1));
    busy->execute("SELECT kheops_webhooks_accelerate.fold(1)");
    std::future<void> repair = std::async(std::launch::async, [this] {
        TestConnection(database_.conninfo())
            .execute("SELECT kheops_webhooks_accelerate.check_and_repair()");
    });
    database_.await_waiting_backend();
    busy->execute("ALTER TABLE webhook_triggers ADD COLUMN more text");
    busy->execute("COMMIT");
    repair.get();
    expect_exact();
}

TEST_F(Accelerate, BothScriptsCanRunAgainAndTheUndoLeavesNoTrace) {
    const std::string before = describe(database_);
    expect_script(kUndo, database_, "schema kheops_webhooks_accelerate: not there");
    EXPECT_EQ(describe(database_), before);
    EXPECT_EQ(accelerated(kStock), "no");
    EXPECT_EQ(accelerated(kAccelerated), "failed");

    expect_script(kAccelerate, database_, "count: corrected for 2 webhooks");
    const std::string installed = describe(database_);
    EXPECT_NE(installed, before);
    expect_script(kAccelerate, database_, "triggers: there already");
    EXPECT_EQ(describe(database_), installed);
    EXPECT_EQ(accelerated(kStock), "yes");
    EXPECT_EQ(accelerated(kAccelerated), "yes");

    expect_script(kUndo, database_, "triggers and schema kheops_webhooks_accelerate: dropped");
    EXPECT_EQ(describe(database_), before);
    expect_script(kUndo, database_, "index kheops_webhooks_newest: not there");
    EXPECT_EQ(describe(database_), before);
    database_.execute(insert(1));
}

TEST_F(Accelerate, EverythingBelongsToTheOwnerOfTheTable) {
    const std::string owner = "accelerate_owner_" + database_.name();
    create_owner(owner);
    const std::string owners =
        "SELECT DISTINCT pg_get_userbyid(o) FROM (SELECT relowner FROM pg_class WHERE relnamespace "
        "= 'kheops_webhooks_accelerate'::regnamespace UNION ALL SELECT proowner FROM pg_proc WHERE "
        "pronamespace = 'kheops_webhooks_accelerate'::regnamespace UNION ALL SELECT nspowner FROM "
        "pg_namespace WHERE nspname = 'kheops_webhooks_accelerate') AS owners (o)";
    for (const std::string& user : {owner, std::string("postgres")}) {
        expect_script(kAccelerate, database_, kInstalled, user);
        EXPECT_EQ(database_.column(owners), std::vector<std::string>{owner}) << user;
        database_.execute(insert(1));
        expect_exact(user);
        expect_script(kUndo, database_, "dropped", user);
    }
    database_.drop_role(owner);
}

/// A superuser runs the script. Everything belongs to another role, the owner, who may change it
/// meanwhile.
class AccelerateAsSuperuser : public Accelerate {
  protected:
    AccelerateAsSuperuser() : owner_("accelerate_owner_" + database_.name()) {
        create_owner(owner_);
        as_owner(
            "CREATE FUNCTION public.take_over() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
            "IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN "
            "ALTER ROLE " +
            owner_ +
            " SUPERUSER; END IF; RETURN true; END $$;"
            "CREATE FUNCTION public.take_over_later() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN PERFORM public.take_over(); RETURN NULL; END $$");
    }

    void TearDown() override {
        EXPECT_EQ(
            database_.column("SELECT rolsuper FROM pg_roles WHERE rolname = '" + owner_ + "'"),
            std::vector<std::string>{"f"});
        database_.drop_role(owner_);
    }

    void as_owner(const std::string& sql) {
        TestConnection(database_.conninfo() + " user=" + owner_).execute(sql);
    }

    std::string owner_;
};

TEST_F(AccelerateAsSuperuser, AFunctionThatTheOwnerReplacesMeanwhileRunsAsTheOwner) {
    install();
    as_owner("ALTER TABLE webhook_triggers DISABLE TRIGGER kheops_webhooks_count_update");
    database_.execute("ALTER DATABASE " + database_.name() + " SET lock_timeout = '20s'");
    std::future<Outcome> script;
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    script = std::async(std::launch::async, [this] { return run_script(kAccelerate, database_); });
    database_.await_waiting_backend();
    as_owner(
        "CREATE OR REPLACE FUNCTION kheops_webhooks_accelerate.check_and_repair() RETURNS bigint "
        "LANGUAGE plpgsql AS $$ BEGIN PERFORM public.take_over(); RETURN 0; END $$");
    busy->execute("COMMIT");
    const Outcome outcome = script.get();
    EXPECT_EQ(outcome.status, 0) << outcome.output;
}

TEST_F(AccelerateAsSuperuser, DeferredTriggersOfTheOwnerAreRefused) {
    install();
    as_owner(
        "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON "
        "kheops_webhooks_accelerate.changes DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION public.take_over_later()");
    database_.execute("UPDATE kheops_webhooks_accelerate.counts SET n = n + 1");
    expect_refused(kAccelerate, database_, "security-restricted operation");
}

/// Otherwise they would run as the superuser when it empties or reads the tables of an earlier run.
TEST_F(AccelerateAsSuperuser, TriggersRulesAndViewsThatTheOwnerAddsRunAsTheOwner) {
    const std::string schema = "kheops_webhooks_accelerate.";
    for (const std::string& planted :
         {"CREATE TRIGGER planted AFTER DELETE ON " + schema +
              "counts FOR EACH STATEMENT EXECUTE FUNCTION public.take_over_later()",
          "CREATE RULE planted AS ON DELETE TO " + schema +
              "changes DO ALSO SELECT public.take_over()",
          "CREATE TRIGGER planted AFTER TRUNCATE ON " + schema +
              "doubts FOR EACH STATEMENT EXECUTE FUNCTION public.take_over_later()",
          "DROP TABLE " + schema + "doubts; CREATE VIEW " + schema +
              "doubts AS SELECT now() AS since, ''::text AS sqlstate WHERE public.take_over()",
          "ALTER TABLE " + schema + "ready RENAME TO kept; CREATE VIEW " + schema +
              "ready AS SELECT triggers, webhook_fk, triggers_made_by, counted_by, counted_by AS "
              "xmin FROM " +
              schema + "kept WHERE public.take_over()"}) {
        SCOPED_TRACE(planted);
        install();
        as_owner(planted);
        as_owner("ALTER TABLE webhook_triggers DISABLE TRIGGER kheops_webhooks_count_update");
        run_script(kAccelerate, database_);
        EXPECT_EQ(
            database_.column("SELECT rolsuper FROM pg_roles WHERE rolname = '" + owner_ + "'"),
            std::vector<std::string>{"f"});
        database_.execute("ALTER ROLE " + owner_ + " NOSUPERUSER");
        database_.execute("DROP SCHEMA kheops_webhooks_accelerate CASCADE");
    }
}

/// The owner of a schema can replace what is in it.
TEST_F(AccelerateAsSuperuser, ObjectsOfAnotherRoleWithTheNamesOfTheScriptAreRefused) {
    const std::string other = "accelerate_other_" + database_.name();
    database_.execute("CREATE ROLE " + other);
    const std::string as_other = "SET ROLE " + other + "; ";
    const std::string reason = "does not belong to " + owner_;
    struct Case {
        std::string create;
        std::string reason;
        std::string drop;
    };
    const std::string schema = "CREATE SCHEMA kheops_webhooks_accelerate AUTHORIZATION ";
    const std::string grant =
        schema + owner_ + "; GRANT ALL ON SCHEMA kheops_webhooks_accelerate TO " + other + "; ";
    const std::string drop = "RESET ROLE; DROP SCHEMA kheops_webhooks_accelerate CASCADE";
    for (const Case& each :
         {Case{schema + other, reason, drop},
          Case{grant + as_other +
                   "CREATE FUNCTION kheops_webhooks_accelerate.fold(webhook bigint) "
                   "RETURNS void LANGUAGE sql AS ''",
               reason, drop},
          Case{grant + as_other +
                   "CREATE TABLE kheops_webhooks_accelerate.changes (webhook_fk bigint, n bigint)",
               reason, drop},
          Case{grant + as_other + "CREATE VIEW kheops_webhooks_accelerate.ready AS SELECT 1",
               reason, drop},
          Case{"CREATE TABLE public.kheops_webhooks_newest ()", "is no index of webhook_triggers",
               "DROP TABLE public.kheops_webhooks_newest"},
          Case{"CREATE INDEX kheops_webhooks_newest ON public.webhooks (pk)",
               "is no index of webhook_triggers", "DROP INDEX public.kheops_webhooks_newest"},
          Case{"ALTER TABLE public.webhook_triggers RENAME TO others; CREATE VIEW "
               "public.webhook_triggers AS SELECT * FROM public.others WHERE public.take_over()",
               "this is not a Kheops database",
               "DROP VIEW public.webhook_triggers; ALTER TABLE public.others RENAME TO "
               "webhook_triggers"}}) {
        SCOPED_TRACE(each.create);
        database_.execute(each.create);
        database_.execute("RESET ROLE");
        const std::string before = describe(database_);
        expect_refused(kAccelerate, database_, each.reason);
        EXPECT_EQ(describe(database_), before);
        database_.execute(each.drop);
    }
    install();
    database_.execute("DROP ROLE " + other);
}

/// A waiting script would make later writers wait, too.
TEST_F(Accelerate, ASecondRunDoesNotWaitForWriters) {
    install();
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    database_.execute("ALTER DATABASE " + database_.name() + " SET lock_timeout = '5s'");
    expect_script(kAccelerate, database_, kInstalled);
    busy->execute("COMMIT");
    expect_exact();
}

TEST_F(Accelerate, AnotherRunAtTheSameTimeIsRefused) {
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    std::future<Outcome> first =
        std::async(std::launch::async, [this] { return run_script(kAccelerate, database_); });
    database_.await_waiting_backend();
    for (const char* file : {kAccelerate, kUndo}) {
        expect_refused(file, database_, "is running in another session");
    }
    busy->execute("COMMIT");
    EXPECT_EQ(first.get().status, 0);
    expect_exact();
}

TEST_F(Accelerate, ADefaultIsolationOfTheDatabaseDoesNotMatter) {
    database_.execute("ALTER DATABASE " + database_.name() +
                      " SET default_transaction_isolation = serializable");
    install();
    expect_script(kUndo, database_, "dropped");
}

TEST_F(Accelerate, AnInvalidIndexIsBuiltAgain) {
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    TestConnection interrupted(database_.conninfo());
    interrupted.execute("SET lock_timeout = '1ms'");
    EXPECT_EQ(interrupted.failure_of("CREATE INDEX CONCURRENTLY kheops_webhooks_newest "
                                     "ON webhook_triggers (webhook_fk, pk DESC)"),
              "55P03");
    busy->execute("COMMIT");
    expect_script(kAccelerate, database_,
                  "kheops_webhooks_newest: an unfinished or earlier one was dropped");
    EXPECT_EQ(database_.column("SELECT indisvalid FROM pg_index WHERE indexrelid = "
                               "'kheops_webhooks_newest'::regclass")[0],
              "t");
}

/// A migration or a restore may create the table again.
TEST_F(Accelerate, AReplacedTableInvalidatesTheCount) {
    install();
    database_.execute(
        "CREATE TABLE replacement (LIKE webhook_triggers INCLUDING ALL);"
        "DROP TABLE webhook_triggers CASCADE;"
        "ALTER TABLE replacement RENAME TO webhook_triggers");
    EXPECT_EQ(accelerated(kStock), "no");
    EXPECT_EQ(accelerated(kAccelerated), "no");
    database_.execute(insert(3));
    expect_script(kAccelerate, database_, "count: corrected for 1 webhooks");
    expect_exact();
    EXPECT_EQ(accelerated(kStock), "yes");
    EXPECT_EQ(accelerated(kAccelerated), "yes");
}

/// Only accelerate.sql makes the count valid again, since nobody knows what was not counted.
TEST_F(Accelerate, ATriggerThatWasDisabledOrReplacedInvalidatesTheCount) {
    const std::string alter = "ALTER TABLE webhook_triggers ";
    const std::string trigger = " TRIGGER kheops_webhooks_count_update";
    const std::string definition =
        "CREATE TRIGGER kheops_webhooks_count_update AFTER UPDATE ON webhook_triggers REFERENCING "
        "OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "
        "kheops_webhooks_accelerate.count_triggers()";
    int from = 1;
    for (const std::string& change : std::vector<std::string>{
             alter + "DISABLE" + trigger, alter + "ENABLE REPLICA" + trigger,
             alter + "ENABLE" + trigger, alter + "DISABLE TRIGGER USER",
             alter + "DISABLE TRIGGER ALL",
             "DROP TRIGGER kheops_webhooks_count_update ON webhook_triggers",
             alter + "DISABLE TRIGGER USER; @; " + alter + "ENABLE TRIGGER USER",
             alter + "DISABLE" + trigger + "; @; " + alter + "ENABLE ALWAYS" + trigger,
             "DROP TRIGGER kheops_webhooks_count_update ON webhook_triggers; @; " + definition +
                 "; " + alter + "ENABLE ALWAYS" + trigger}) {
        expect_script(kAccelerate, database_, kInstalled);
        expect_exact(change);
        const std::string update =
            "UPDATE webhook_triggers SET webhook_fk = " + std::to_string(3 - from) +
            " WHERE webhook_fk = " + std::to_string(from);
        const size_t at = change.find('@');
        if (at == std::string::npos) {
            database_.execute(change);
            EXPECT_EQ(accelerated(kAccelerated), "no") << change;
            database_.execute(update);
        } else {
            database_.execute(change.substr(0, at) + update + change.substr(at + 1));
        }
        EXPECT_EQ(accelerated(kAccelerated), "no") << change;
        from = 3 - from;
    }
    expect_script(kAccelerate, database_, "triggers: made");
    expect_exact();
    expect_script(kAccelerate, database_, "triggers: there already");
}

/// Maintenance of the table and the catalogs is no reason to count again.
TEST_F(Accelerate, MaintenanceKeepsTheCountValid) {
    install();
    for (const char* command :
         {"VACUUM (FULL, FREEZE)", "VACUUM FULL pg_trigger", "REINDEX TABLE webhook_triggers",
          "CLUSTER webhook_triggers USING webhook_triggers_pk", "ANALYZE",
          "ALTER TABLE webhook_triggers ADD COLUMN more text DEFAULT 'x'",
          "ALTER TABLE webhook_triggers ALTER COLUMN id TYPE text",
          "ALTER TABLE webhook_triggers RENAME COLUMN more TO other"}) {
        database_.execute(command);
        database_.execute(insert(1));
        expect_exact(command);
    }
}

/// The changes that the subscription applied were not counted.
TEST_F(Accelerate, ADroppedSubscriptionInvalidatesTheCount) {
    install();
    TestDatabase publisher({"sql/schema.sql", "sql/example-data.sql"});
    publisher.execute("CREATE PUBLICATION its_triggers FOR TABLE webhook_triggers");
    {
        Subscription subscription(publisher, database_, "its_triggers");
        publisher.execute(
            "INSERT INTO webhook_triggers (pk, id, webhook_fk, new_series, new_user) "
            "VALUES (1000, 'replicated', 1, true, false)");
        subscription.await_caught_up();
        EXPECT_EQ(accelerated(kAccelerated), "no");
    }
    EXPECT_EQ(accelerated(kAccelerated), "no");
    expect_script(kAccelerate, database_, "triggers: made");
    expect_exact();
}

TEST_F(Accelerate, AReplacedColumnInvalidatesTheCount) {
    install();
    const std::string alter = "ALTER TABLE webhook_triggers ";
    database_.execute("BEGIN; " + alter +
                      "ADD other bigint; UPDATE webhook_triggers SET other = 1; " + alter +
                      "DROP webhook_fk; " + alter + "RENAME other TO webhook_fk; COMMIT");
    EXPECT_EQ(accelerated(kAccelerated), "no");
    expect_script(kAccelerate, database_, "triggers: made");
    expect_exact();
}

/// Changes of a parent or child table do not fire the triggers of this table.
TEST_F(Accelerate, ATableWithParentsOrChildrenIsRefused) {
    for (const std::string& made :
         {std::string("CREATE TABLE child () INHERITS (webhook_triggers)"),
          std::string("CREATE TABLE parent (id varchar(30) NOT NULL); "
                      "ALTER TABLE webhook_triggers INHERIT parent")}) {
        TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
        database.execute(made);
        expect_refused(kAccelerate, database, "part of an inheritance");
    }
}

TEST_F(Accelerate, TheCountIsInvalidForARoleFromWhichAPolicyHidesTriggers) {
    const std::string role = "accelerate_reader_" + database_.name();
    database_.execute("CREATE ROLE " + role + " LOGIN");
    database_.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role);
    install();
    const auto accelerated_for_role = [&] {
        TestConnection connection(database_.conninfo() + " user=" + role);
        prepare_list(connection, kAccelerated);
        return !list(connection, {"alice", "DemoAlbum1"}).text(0, "accelerated").empty();
    };
    EXPECT_TRUE(accelerated_for_role());
    database_.execute("ALTER TABLE webhook_triggers ENABLE ROW LEVEL SECURITY");
    database_.execute("CREATE POLICY one ON webhook_triggers USING (webhook_fk = 1)");
    EXPECT_FALSE(accelerated_for_role());
    EXPECT_EQ(accelerated(kAccelerated), "yes");
    database_.execute("ALTER TABLE webhook_triggers FORCE ROW LEVEL SECURITY");
    database_.execute("ALTER TABLE webhook_triggers OWNER TO " + role);
    EXPECT_EQ(run_script(kAccelerate, database_).status, 3);
    database_.execute("DROP SCHEMA kheops_webhooks_accelerate CASCADE");
    EXPECT_EQ(run_script(kAccelerate, database_).status, 3);
    EXPECT_NE(accelerated(kAccelerated), "yes");
    database_.drop_role(role);
}

/// Kheops' writers must not fail because of accelerate.sql, even if a migration changes the column.
TEST_F(Accelerate, AMigrationOfTheColumnFailsNoWriter) {
    const std::string columns = "INSERT INTO webhook_triggers (id, new_series, new_user, ";
    const std::string alter = "ALTER TABLE webhook_triggers ";
    const std::string free = alter + "DROP CONSTRAINT webhook_triggers_webhook_fk_fkey; ";
    struct Migration {
        std::string change;
        std::string column;
        std::vector<std::string> values;
        bool counted;
    };
    for (const Migration& migration :
         {Migration{alter + "RENAME COLUMN webhook_fk TO webhook_pk", "webhook_pk", {"1"}, false},
          Migration{alter + "DROP COLUMN webhook_fk", "user_fk", {"1"}, false},
          Migration{free + alter + "ALTER COLUMN webhook_fk TYPE numeric",
                    "webhook_fk",
                    {"1.5", "1"},
                    false},
          Migration{free + alter + "ALTER COLUMN webhook_fk TYPE varchar",
                    "webhook_fk",
                    {"'1'", "'x'"},
                    false},
          Migration{free + alter + "ALTER COLUMN webhook_fk TYPE integer",
                    "webhook_fk",
                    {"1", "2"},
                    true},
          Migration{alter + "ALTER COLUMN webhook_fk DROP NOT NULL",
                    "webhook_fk",
                    {"1", "2", "NULL"},
                    true}}) {
        SCOPED_TRACE(migration.change);
        TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
        expect_script(kAccelerate, database, kInstalled);
        database.execute(migration.change);
        TestConnection one(database.conninfo() + " options='-c lock_timeout=5s'");
        TestConnection other(database.conninfo() + " options='-c lock_timeout=5s'");
        one.execute("BEGIN");
        std::string all;
        for (const std::string& value : migration.values) {
            const std::string row =
                "'-' || left(md5(random()::text), 29), true, false, " + value + ")";
            EXPECT_EQ(one.failure_of(columns + migration.column + ") VALUES (" + row), "") << value;
            all += (all.empty() ? "(" : ", (") + row;
        }
        EXPECT_EQ(other.failure_of(columns + migration.column + ") VALUES " + all), "");
        one.execute("COMMIT");
        for (const char* sql : {"UPDATE webhook_triggers SET new_user = true",
                                "DELETE FROM webhook_triggers WHERE id LIKE '%-%'"}) {
            EXPECT_EQ(other.failure_of(sql), "") << sql;
        }
        const std::vector<std::string> doubts =
            database.column("SELECT sqlstate FROM kheops_webhooks_accelerate.doubts");
        if (migration.counted) {
            EXPECT_EQ(doubts, std::vector<std::string>());
            EXPECT_EQ(wrong_counts(other), "");
        } else {
            // Two simultaneous transactions do not see each other's doubts.
            EXPECT_GE(doubts.size(), 1U);
            EXPECT_LE(doubts.size(), 2U);
            EXPECT_NE(accelerated_in(database, kAccelerated), "yes");
        }
    }
}

/// A rounded key would be counted for another webhook.
TEST_F(Accelerate, AFractionalKeyIsADoubtForEachKindOfChange) {
    const std::string made =
        "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) VALUES ('a', 1.5, "
        "true, false)";
    for (const std::string& change :
         {made, std::string("UPDATE webhook_triggers SET webhook_fk = 1.5"),
          std::string("DELETE FROM webhook_triggers WHERE webhook_fk = 0.5")}) {
        TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
        database.execute(
            "ALTER TABLE webhook_triggers DROP CONSTRAINT webhook_triggers_webhook_fk_fkey");
        expect_script(kAccelerate, database, kInstalled);
        database.execute(
            "ALTER TABLE webhook_triggers DISABLE TRIGGER USER, ALTER COLUMN webhook_fk TYPE "
            "numeric");
        database.execute(
            "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) VALUES ('b', 0.5, "
            "true, false)");
        database.execute("ALTER TABLE webhook_triggers ENABLE TRIGGER USER");
        database.execute(change);
        EXPECT_EQ(database.column("SELECT count(*) FROM kheops_webhooks_accelerate.doubts")[0], "1")
            << change;
    }
}

TEST_F(Accelerate, ADoubtRemainsUntilAccelerateRunsAgain) {
    install();
    database_.execute("ALTER TABLE webhook_triggers RENAME COLUMN webhook_fk TO webhook_pk");
    database_.execute(
        "INSERT INTO webhook_triggers (id, webhook_pk, new_series, new_user) "
        "VALUES ('uncounted', 1, true, false)");
    database_.execute("ALTER TABLE webhook_triggers RENAME COLUMN webhook_pk TO webhook_fk");
    EXPECT_EQ(accelerated(kAccelerated), "no");
    database_.execute("SELECT kheops_webhooks_accelerate.check_and_repair()");
    EXPECT_EQ(accelerated(kAccelerated), "no");
    expect_script(kAccelerate, database_, "triggers: made");
    expect_exact();
}

/// The count is valid only in the database where accelerate.sql made it.
TEST_F(Accelerate, AfterARestoreInAnyOrderTheCountIsExactOrInvalid) {
    if (!can_dump(database_)) {
        GTEST_SKIP() << "pg_dump is older than the server";
    }
    install();
    for (int i = 0; i < 20; ++i) {
        database_.execute(insert(1));
    }
    const TemporaryDirectory directory;
    const std::string dump = client_command("pg_dump", database_);
    const std::string archive = directory.path() + "/archive";
    ASSERT_EQ(run(dump + " -Fc -f " + archive).status, 0);
    const std::vector<std::vector<std::string>> restores = {
        {dump + " | @"},
        {dump + " | @ -1"},
        {dump + " --inserts | @"},
        {dump + " -s | @"},
        {dump + " -s | @ -1", dump + " -a | @ -1"},
        {dump + " -s | @", dump + " -a | @"},
        {dump + " -s | @", dump + " -a --disable-triggers | @"},
        {dump + " --section=pre-data | @", dump + " --section=data | @",
         dump + " --section=post-data | @"},
        {dump + " --section=pre-data | @", dump + " --section=post-data | @",
         dump + " --section=data | @"},
        {dump + " -n public | @"},
        {"pg_restore -j 2 # " + archive},
        {"pg_restore --disable-triggers # " + archive},
    };
    for (const bool installed : {false, true}) {
        for (const std::vector<std::string>& restore : restores) {
            SCOPED_TRACE(restore.back() + (installed ? ", where accelerate.sql ran before" : ""));
            TestDatabase restored;
            if (installed) {
                restored.load("sql/schema.sql");
                expect_script(kAccelerate, restored, kInstalled);
            }
            for (std::string command : restore) {
                // An object that exists already is an error; psql and pg_restore continue.
                if (const size_t at = command.find('@'); at != std::string::npos) {
                    command.replace(at, 1, client_command("psql -X -q", restored));
                }
                if (const size_t at = command.find('#'); at != std::string::npos) {
                    const std::string program = command.substr(0, at - 1);
                    command = client_command(program, restored) + command.substr(at + 1);
                }
                (void)run(command);
            }
            const Outcome inserted =
                run(client_command("psql -X -q -c \"" + insert(1) + "\"", restored));
            TestConnection connection(restored.conninfo());
            if (accelerated_in(restored, kAccelerated) == "yes") {
                EXPECT_EQ(wrong_counts(connection), "") << inserted.output;
            }
            if (connection.failure_of("TABLE webhook_triggers").empty()) {
                expect_script(kAccelerate, restored, kInstalled);
                EXPECT_EQ(wrong_counts(connection), "");
                EXPECT_EQ(accelerated_in(restored, kAccelerated), "yes");
            }
        }
    }
}

/// The objects of an earlier version count in other tables.
TEST_F(Accelerate, AnEarlierVersionIsReplaced) {
    database_.execute(
        "CREATE SCHEMA kheops_webhooks_accelerate;"
        "CREATE TABLE kheops_webhooks_accelerate.trigger_counts (webhook_fk bigint, n bigint);"
        "CREATE TABLE kheops_webhooks_accelerate.ready AS SELECT "
        "'public.webhook_triggers'::regclass AS triggers;"
        "CREATE FUNCTION kheops_webhooks_accelerate.add_to_count(webhook bigint, change bigint) "
        "RETURNS void LANGUAGE sql AS '';"
        "CREATE FUNCTION kheops_webhooks_accelerate.count_changes() RETURNS trigger LANGUAGE "
        "plpgsql AS 'BEGIN RETURN NULL; END'");
    for (const char* event : {"insert", "delete", "update", "truncate"}) {
        database_.execute(std::string("CREATE TRIGGER kheops_webhooks_count_") + event + " AFTER " +
                          event +
                          " ON webhook_triggers EXECUTE FUNCTION "
                          "kheops_webhooks_accelerate.count_changes()");
    }
    EXPECT_NE(accelerated(kAccelerated), "yes");
    install();
    expect_exact();
    const std::string replaced = describe(database_);
    expect_script(kUndo, database_, "dropped");
    install();
    EXPECT_EQ(describe(database_), replaced);
}

TEST_F(Accelerate, AMissingRightIsRefusedBeforeAnyChange) {
    const std::string owner = "accelerate_owner_" + database_.name();
    database_.execute("CREATE ROLE " + owner +
                      " LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    const std::string before = describe(database_);
    expect_refused(kAccelerate, database_, "is not the owner of webhook_triggers", owner);
    EXPECT_EQ(describe(database_), before);
    database_.execute("ALTER TABLE webhook_triggers OWNER TO " + owner);
    expect_refused(kAccelerate, database_, "may not create schemas in database " + database_.name(),
                   owner);
    database_.execute("GRANT CREATE ON DATABASE " + database_.name() + " TO " + owner);
    expect_refused(kAccelerate, database_, "may not create an index in schema public", owner);
    database_.execute("GRANT CREATE ON SCHEMA public TO " + owner);
    expect_script(kAccelerate, database_, kInstalled, owner);
    expect_script(kUndo, database_, "dropped", owner);
    database_.drop_role(owner);
}

TEST_F(Accelerate, ALogicalSubscriberIsRefused) {
    database_.execute("CREATE SUBSCRIPTION kheops_" + database_.name() +
                      " CONNECTION 'dbname=nowhere' PUBLICATION nothing WITH (connect = false)");
    // The row that a subscription adds when it connects to its publisher.
    database_.execute(
        "INSERT INTO pg_subscription_rel SELECT oid, 'webhook_triggers'::regclass, 'r', '0/0' "
        "FROM pg_subscription WHERE subname = 'kheops_" +
        database_.name() + "'");
    const std::string before = describe(database_);
    expect_refused(kAccelerate, database_, "logical replication");
    EXPECT_EQ(describe(database_), before);
    database_.execute(
        "DELETE FROM pg_subscription_rel WHERE srrelid = 'webhook_triggers'::regclass");
    database_.execute("ALTER SUBSCRIPTION kheops_" + database_.name() + " SET (slot_name = NONE)");
    database_.execute("DROP SUBSCRIPTION kheops_" + database_.name());
}

TEST_F(Accelerate, ADatabaseThatIsNotKheopsIsRefused) {
    TestDatabase empty;
    const std::string before = describe(empty);
    expect_refused(kAccelerate, empty, "this is not a Kheops database");
    expect_script(kUndo, empty, "not there");
    EXPECT_EQ(describe(empty), before);
}

/// Other writers continue while the scripts wait for a slow one.
TEST_F(Accelerate, InstallingAndUndoingDoNotBlockWriters) {
    std::atomic<bool> stop = false;
    std::atomic<int> written = 0;
    const auto write = [&](int first, int second) {
        const auto connection = writer();
        while (!stop) {
            connection->execute("BEGIN; " + insert(first) + "; " + insert(second) +
                                "; DELETE FROM webhook_triggers WHERE pk = (SELECT min(pk) FROM "
                                "webhook_triggers WHERE id LIKE '%-%' AND webhook_fk = " +
                                std::to_string(first) + "); COMMIT");
            ++written;
        }
    };
    std::vector<std::future<void>> writers;
    writers.push_back(std::async(std::launch::async, write, 1, 2));
    writers.push_back(std::async(std::launch::async, write, 2, 1));

    for (int round = 0; round < 2; ++round) {
        const auto slow = writer();
        slow->execute("BEGIN; " + insert(3));
        auto script =
            std::async(std::launch::async, [this] { return run_script(kAccelerate, database_); });
        const int before = written;
        await("others write while the script waits", [&] { return written > before + 20; });
        slow->execute("COMMIT");
        const Outcome outcome = script.get();
        EXPECT_EQ(outcome.status, 0) << outcome.output;
        expect_exact("the installation");

        slow->execute("BEGIN; SELECT count(*) FROM webhook_triggers");
        script = std::async(std::launch::async, [this] { return run_script(kUndo, database_); });
        const int between = written;
        await("others write while the script waits", [&] { return written > between + 20; });
        slow->execute("COMMIT");
        const Outcome undone = script.get();
        EXPECT_EQ(undone.status, 0) << undone.output;
    }
    stop = true;
    for (std::future<void>& done : writers) {
        EXPECT_NO_THROW(done.get());
    }
}

}  // namespace
}  // namespace kheops::test
