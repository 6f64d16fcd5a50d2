// SPDX-License-Identifier: MIT

// sql/accelerate.sql and sql/accelerate-undo.sql, run as an administrator runs them: the count they
// keep is exact whatever happens to the triggers, and nobody waits or fails for it. `make prove`
// asks the same at random, and for longer.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"

namespace kheops::test {
namespace {

constexpr const char* kAccelerate = "sql/accelerate.sql";
constexpr const char* kUndo = "sql/accelerate-undo.sql";
constexpr const char* kInForce = "the list is accelerated";

/// Webhooks whose count is not the number of their triggers.
constexpr const char* kWrongCounts =
    "SELECT webhook_fk, t.n, c.n FROM "
    "(SELECT webhook_fk, count(*) AS n FROM webhook_triggers GROUP BY 1) AS t FULL JOIN "
    "(SELECT webhook_fk, sum(n) AS n FROM kheops_webhooks_accelerate.trigger_counts GROUP BY 1) "
    "AS c USING (webhook_fk) WHERE coalesce(t.n, 0) <> coalesce(c.n, 0)";

/// The example data: an album with five webhooks, whose primary keys are 1 to 5, and 13 triggers.
class Accelerate : public testing::Test {
  protected:
    Accelerate() : database_({"sql/schema.sql", "sql/example-data.sql"}) {}

    void install() { expect_script(kAccelerate, database_, kInForce); }

    /// In which a statement that had to wait for another connection's lock would fail.
    [[nodiscard]] std::unique_ptr<TestConnection> writer() const {
        auto connection = std::make_unique<TestConnection>(database_.conninfo());
        connection->execute("SET lock_timeout = '5s'");
        return connection;
    }

    static std::string insert(int webhook, int triggers = 1) {
        return "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
               "SELECT left(gen_random_uuid()::text, 30), " +
               std::to_string(webhook) + ", true, false FROM generate_series(1, " +
               std::to_string(triggers) + ")";
    }

    void expect_exact(const std::string& after = "") {
        EXPECT_EQ(database_.execute(kWrongCounts).dump(), "") << after;
    }

    std::string number_of_triggers(int webhook) {
        return database_
            .execute(
                "SELECT coalesce(sum(n), 0) FROM kheops_webhooks_accelerate.trigger_counts "
                "WHERE webhook_fk = " +
                std::to_string(webhook))
            .text(0, 0);
    }

    std::string rows_of_count(int webhook) {
        return database_
            .execute(
                "SELECT count(*) FROM kheops_webhooks_accelerate.trigger_counts "
                "WHERE webhook_fk = " +
                std::to_string(webhook))
            .text(0, 0);
    }

    /// What the statement says of accelerate.sql: "t", "f", or "failed" when it does.
    std::string in_force(const char* statement) {
        TestConnection connection(database_.conninfo());
        try {
            prepare_list(connection, statement);
            return list(connection, {"alice", "DemoAlbum1"}).text(0, "accelerated");
        } catch (const std::runtime_error&) {
            return "failed";
        }
    }

    TestDatabase database_;
};

TEST_F(Accelerate, EveryKindOfChangeIsCounted) {
    install();
    expect_exact("the installation");
    EXPECT_EQ(number_of_triggers(1), "11");
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
        "BEGIN; " + insert(4) + "; TRUNCATE webhook_triggers CASCADE; " + insert(4, 3) + "; " +
            insert(4) + "; COMMIT",
        "TRUNCATE webhooks CASCADE",
    };
    for (const std::string& change : changes) {
        database_.execute(change);
        expect_exact(change);
    }
    EXPECT_EQ(database_.column("SELECT count(*) FROM kheops_webhooks_accelerate.trigger_counts")[0],
              "0");
}

TEST_F(Accelerate, WhatFailsIsNotCounted) {
    install();
    TestConnection connection(database_.conninfo());
    EXPECT_EQ(connection.failure_of(insert(77)), "23503");
    EXPECT_EQ(connection.failure_of("INSERT INTO webhook_triggers (id, webhook_fk, new_series, "
                                    "new_user) VALUES ('a', 1, true, true), ('a', 1, true, true)"),
              "23505");
    expect_exact();
    EXPECT_EQ(rows_of_count(77), "0");
}

/// As Kheops deletes a webhook: trigger by trigger, in one transaction.
TEST_F(Accelerate, AWebhookWithoutTriggersLeavesNoRow) {
    install();
    database_.execute(insert(2, 100));
    database_.execute(
        "DO $$ DECLARE t bigint; BEGIN FOR t IN SELECT pk FROM webhook_triggers WHERE webhook_fk = "
        "2 LOOP DELETE FROM webhook_triggers WHERE pk = t; END LOOP; DELETE FROM webhooks WHERE pk "
        "= 2; END $$");
    expect_exact();
    EXPECT_EQ(rows_of_count(2), "0");
}

TEST_F(Accelerate, WritersInOppositeOrdersNeitherWaitNorDeadlock) {
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

TEST_F(Accelerate, AnOlderSnapshotIsNoReasonToFail) {
    install();
    const auto old = writer();
    for (const char* isolation : {"REPEATABLE READ", "SERIALIZABLE"}) {
        old->execute(std::string("BEGIN ISOLATION LEVEL ") + isolation);
        old->execute("SELECT 1");
        database_.execute(insert(1));
        database_.execute(insert(3));
        old->execute(insert(1));
        old->execute(insert(3));
        old->execute(insert(1));
        old->execute("COMMIT");
        expect_exact(isolation);
    }
}

TEST_F(Accelerate, RowsThatAreFreeBecomeOneAgain) {
    install();
    std::vector<std::unique_ptr<TestConnection>> writers;
    for (int i = 0; i < 4; ++i) {
        writers.push_back(writer());
        writers.back()->execute("BEGIN");
        writers.back()->execute(insert(1));
        writers.back()->execute(insert(1));
    }
    for (const auto& connection : writers) {
        connection->execute("COMMIT");
    }
    EXPECT_EQ(rows_of_count(1), "4");
    expect_exact();
    // In one transaction the row of the first change serves all.
    database_.execute("DO $$ BEGIN FOR n IN 1..100 LOOP " + insert(1) + "; END LOOP; END $$");
    EXPECT_EQ(rows_of_count(1), "1");
    expect_exact();
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
        for (const char* sql :
             {"INSERT INTO kheops_webhooks_accelerate.trigger_counts VALUES (1, 1)",
              "UPDATE kheops_webhooks_accelerate.trigger_counts SET n = 0",
              "DELETE FROM kheops_webhooks_accelerate.trigger_counts",
              "DELETE FROM kheops_webhooks_accelerate.ready",
              "SELECT kheops_webhooks_accelerate.add_to_count(1, 1)",
              "SELECT kheops_webhooks_accelerate.check_and_repair()",
              "CREATE TABLE kheops_webhooks_accelerate.mine ()"}) {
            EXPECT_EQ(connection.failure_of(sql), not_allowed) << sql;
        }
        connection.execute("SELECT * FROM kheops_webhooks_accelerate.trigger_counts");
    }
    expect_exact();
    database_.execute("DROP OWNED BY " + role);
    database_.execute("DROP ROLE " + role);
}

/// The setting by which a transaction finds its own row again is the writer's to change.
TEST_F(Accelerate, WhatAWriterSetsMovesNoCountAndIsNoError) {
    install();
    database_.execute(insert(2) + "; " + insert(3));
    const std::string role = "accelerate_writer_" + database_.name();
    database_.execute("CREATE ROLE " + role + " LOGIN");
    database_.execute("GRANT INSERT ON webhook_triggers TO " + role);
    const auto row_of = [&](int webhook) {
        return database_
            .execute(
                "SELECT max(ctid) FROM kheops_webhooks_accelerate.trigger_counts "
                "WHERE webhook_fk = " +
                std::to_string(webhook))
            .text(0, 0);
    };
    const std::string other = row_of(3);
    const std::vector<std::string> settings = {"2 " + other,
                                               "2 " + row_of(2),
                                               "2",
                                               "2 ",
                                               "2 x",
                                               "2 (0,0)",
                                               "2 (999999999,9999)",
                                               "2 (4294967295,65535)",
                                               "2 (4294967296,1)",
                                               "2 (0,65536)",
                                               "2 (-1,1)",
                                               "2 " + other + " ",
                                               "2 " + other + "\n2 " + other,
                                               "2 0,1",
                                               "2 ((0,1))",
                                               "2 NULL",
                                               "2 {}",
                                               "2  ",
                                               " 2",
                                               "3 " + other,
                                               "2 " + std::string(1000000, ' '),
                                               std::string(1000000, '2'),
                                               "\xC3\xA9 \xE2\x82\xAC",
                                               "99999999999999999999 (0,1)"};
    for (const char* isolation : {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}) {
        for (const char* strings : {"on", "off"}) {
            // The functions are compiled with what is set then.
            TestConnection connection(database_.conninfo() + " user=" + role);
            connection.execute(std::string("SET standard_conforming_strings = ") + strings);
            for (const std::string& setting : settings) {
                connection.execute(std::string("BEGIN ISOLATION LEVEL ") + isolation);
                connection.execute(
                    "SELECT set_config('kheops_webhooks_accelerate.changed', $1, true)", {setting});
                EXPECT_EQ(connection.failure_of(insert(2)), "")
                    << isolation << " " << strings << " " << setting.substr(0, 100);
                connection.execute("COMMIT");
                expect_exact(std::string(isolation) + " " + setting.substr(0, 100));
            }
        }
    }
    database_.execute("DROP OWNED BY " + role);
    database_.execute("DROP ROLE " + role);
}

/// One session may serve many, and keep what one of them has set.
TEST_F(Accelerate, ASettingThatNamesARowChangedSinceIsNoSerializationFailure) {
    install();
    const auto old = writer();
    for (const char* isolation : {"REPEATABLE READ", "SERIALIZABLE"}) {
        database_.execute(insert(1));
        old->execute(
            "SELECT set_config('kheops_webhooks_accelerate.changed', '1 ' || ctid, false) "
            "FROM kheops_webhooks_accelerate.trigger_counts WHERE webhook_fk = 1");
        old->execute(std::string("BEGIN ISOLATION LEVEL ") + isolation);
        old->execute("SELECT 1");
        database_.execute(insert(1));
        EXPECT_EQ(old->failure_of(insert(1)), "") << isolation;
        old->execute("COMMIT");
        expect_exact(isolation);
    }
}

/// Where everything is published, PostgreSQL refuses to change rows that nothing identifies.
TEST_F(Accelerate, APublicationOfAllTablesIsNoReasonToFail) {
    install();
    database_.execute("CREATE PUBLICATION everything FOR ALL TABLES");
    database_.execute(insert(1));
    database_.execute("DELETE FROM webhook_triggers WHERE id LIKE '%-%'");
    database_.execute("TRUNCATE webhook_triggers CASCADE");
    expect_exact();
}

TEST_F(Accelerate, WhatFiredNoTriggerIsFoundAndRepaired) {
    install();
    const std::string repair = "SELECT kheops_webhooks_accelerate.check_and_repair()";
    EXPECT_EQ(database_.column(repair)[0], "0");
    database_.execute("SET session_replication_role = replica; " + insert(1, 3) + "; " + insert(2) +
                      "; DELETE FROM webhook_triggers WHERE webhook_fk = 3");
    database_.execute("RESET session_replication_role; " + insert(1));
    EXPECT_EQ(database_.column(repair)[0], "3");
    expect_exact();
    EXPECT_EQ(database_.column(repair)[0], "0");

    // With a writer in the middle of its work.
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    database_.execute("SET session_replication_role = replica; " + insert(1) +
                      "; SET session_replication_role = origin");
    EXPECT_EQ(database_.column(repair)[0], "1");
    busy->execute(insert(1) + "; COMMIT");
    expect_exact();

    TestConnection connection(database_.conninfo());
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    EXPECT_EQ(connection.failure_of(repair), "P0001");
}

TEST_F(Accelerate, BothCanBeRunAgainAndTheUndoLeavesNoTrace) {
    const std::string before = described(database_);
    expect_script(kUndo, database_, "schema kheops_webhooks_accelerate: not there");
    EXPECT_EQ(described(database_), before);
    EXPECT_EQ(in_force(kStock), "f");
    EXPECT_EQ(in_force(kAccelerated), "failed");

    expect_script(kAccelerate, database_, "count: corrected for 2 webhooks");
    const std::string installed = described(database_);
    EXPECT_NE(installed, before);
    expect_script(kAccelerate, database_, "triggers: there already");
    EXPECT_EQ(described(database_), installed);
    EXPECT_EQ(in_force(kStock), "t");
    EXPECT_EQ(in_force(kAccelerated), "t");

    expect_script(kUndo, database_, "triggers and schema kheops_webhooks_accelerate: dropped");
    EXPECT_EQ(described(database_), before);
    expect_script(kUndo, database_, "index kheops_webhooks_newest: not there");
    EXPECT_EQ(described(database_), before);
    database_.execute(insert(1));
}

TEST_F(Accelerate, EverythingBelongsToTheOwnerOfTheTable) {
    const std::string owner = "accelerate_owner_" + database_.name();
    database_.execute("CREATE ROLE " + owner + " LOGIN");
    database_.execute("GRANT CREATE ON DATABASE " + database_.name() + " TO " + owner);
    database_.execute("GRANT CREATE ON SCHEMA public TO " + owner);
    for (const char* table : {"webhook_triggers", "webhooks", "webhook_attempts"}) {
        database_.execute(std::string("ALTER TABLE ") + table + " OWNER TO " + owner);
    }
    const std::string owners =
        "SELECT DISTINCT pg_get_userbyid(o) FROM (SELECT relowner FROM pg_class WHERE relnamespace "
        "= 'kheops_webhooks_accelerate'::regnamespace UNION ALL SELECT proowner FROM pg_proc WHERE "
        "pronamespace = 'kheops_webhooks_accelerate'::regnamespace UNION ALL SELECT nspowner FROM "
        "pg_namespace WHERE nspname = 'kheops_webhooks_accelerate') AS owners (o)";
    for (const std::string& user : {owner, std::string("postgres")}) {
        expect_script(kAccelerate, database_, kInForce, user);
        EXPECT_EQ(database_.column(owners), std::vector<std::string>{owner}) << user;
        database_.execute(insert(1));
        expect_exact(user);
        expect_script(kUndo, database_, "dropped", user);
    }
    database_.execute("REASSIGN OWNED BY " + owner + " TO postgres");
    database_.execute("DROP OWNED BY " + owner);
    database_.execute("DROP ROLE " + owner);
}

/// A superuser may run it, and everything belongs to another role, who may change what is there
/// while it runs.
class AccelerateAsSuperuser : public Accelerate {
  protected:
    AccelerateAsSuperuser() : owner_("accelerate_owner_" + database_.name()) {
        database_.execute("CREATE ROLE " + owner_ + " LOGIN");
        database_.execute("GRANT CREATE ON DATABASE " + database_.name() + " TO " + owner_);
        database_.execute("GRANT CREATE ON SCHEMA public TO " + owner_);
        for (const char* table : {"webhook_triggers", "webhooks", "webhook_attempts"}) {
            database_.execute(std::string("ALTER TABLE ") + table + " OWNER TO " + owner_);
        }
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
        database_.execute("REASSIGN OWNED BY " + owner_ + " TO postgres");
        database_.execute("DROP OWNED BY " + owner_);
        database_.execute("DROP ROLE " + owner_);
    }

    void as_owner(const std::string& sql) {
        TestConnection(database_.conninfo() + " user=" + owner_).execute(sql);
    }

    std::string owner_;
};

TEST_F(AccelerateAsSuperuser, AFunctionThatTheOwnerPutsInPlaceMeanwhileRunsAsTheOwner) {
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

TEST_F(AccelerateAsSuperuser, NothingOfTheOwnersIsLeftToRunAtTheCommit) {
    install();
    as_owner(
        "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON "
        "kheops_webhooks_accelerate.trigger_counts DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION public.take_over_later()");
    database_.execute("SET session_replication_role = replica; " + insert(1) +
                      "; RESET session_replication_role");
    const Outcome outcome = run_script(kAccelerate, database_);
    EXPECT_EQ(outcome.status, 3) << outcome.output;
    EXPECT_NE(outcome.output.find("security-restricted operation"), std::string::npos)
        << outcome.output;
}

/// Whose schema it is, that role can replace what is in it.
TEST_F(AccelerateAsSuperuser, WhatAnotherRoleHasMadeUnderItsNamesIsRefused) {
    const std::string other = "accelerate_other_" + database_.name();
    database_.execute("CREATE ROLE " + other);
    const std::string as_other = "SET ROLE " + other + "; ";
    const std::string refused = "does not belong to " + owner_;
    struct Case {
        std::string made;
        std::string refused;
        std::string undone;
    };
    const std::string schema = "CREATE SCHEMA kheops_webhooks_accelerate AUTHORIZATION ";
    const std::string grant =
        schema + owner_ + "; GRANT ALL ON SCHEMA kheops_webhooks_accelerate TO " + other + "; ";
    const std::string drop = "RESET ROLE; DROP SCHEMA kheops_webhooks_accelerate CASCADE";
    for (const Case& each :
         {Case{schema + other, refused, drop},
          Case{grant + as_other +
                   "CREATE FUNCTION kheops_webhooks_accelerate.add_to_count(webhook bigint, change "
                   "bigint) RETURNS void LANGUAGE sql AS ''",
               refused, drop},
          Case{grant + as_other +
                   "CREATE TABLE kheops_webhooks_accelerate.trigger_counts (webhook_fk bigint, n "
                   "bigint)",
               refused, drop},
          Case{grant + as_other + "CREATE VIEW kheops_webhooks_accelerate.ready AS SELECT 1",
               refused, drop},
          Case{"CREATE TABLE public.kheops_webhooks_newest ()", "is no index of webhook_triggers",
               "DROP TABLE public.kheops_webhooks_newest"},
          Case{"CREATE INDEX kheops_webhooks_newest ON public.webhooks (pk)",
               "is no index of webhook_triggers", "DROP INDEX public.kheops_webhooks_newest"},
          Case{"ALTER TABLE public.webhook_triggers RENAME TO others; CREATE VIEW "
               "public.webhook_triggers AS SELECT * FROM public.others WHERE public.take_over()",
               "this is not a Kheops database",
               "DROP VIEW public.webhook_triggers; ALTER TABLE public.others RENAME TO "
               "webhook_triggers"}}) {
        database_.execute(each.made);
        database_.execute("RESET ROLE");
        const std::string before = described(database_);
        const Outcome outcome = run_script(kAccelerate, database_);
        EXPECT_EQ(outcome.status, 3) << each.made;
        EXPECT_NE(outcome.output.find(each.refused), std::string::npos)
            << each.made << outcome.output;
        EXPECT_EQ(described(database_), before) << each.made;
        database_.execute(each.undone);
    }
    install();
    database_.execute("DROP ROLE " + other);
}

/// Nor would those wait who came after it.
TEST_F(Accelerate, RunAgainItWaitsForNoWriter) {
    install();
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    database_.execute("ALTER DATABASE " + database_.name() + " SET lock_timeout = '5s'");
    expect_script(kAccelerate, database_, kInForce);
    busy->execute("COMMIT");
    expect_exact();
}

TEST_F(Accelerate, TheDatabasesOwnIsolationDoesNotMatter) {
    database_.execute("ALTER DATABASE " + database_.name() +
                      " SET default_transaction_isolation = serializable");
    install();
    expect_script(kUndo, database_, "dropped");
}

TEST_F(Accelerate, AnUnfinishedIndexIsBuiltAgain) {
    const auto busy = writer();
    busy->execute("BEGIN; " + insert(1));
    TestConnection interrupted(database_.conninfo());
    interrupted.execute("SET lock_timeout = '1ms'");
    EXPECT_EQ(interrupted.failure_of("CREATE INDEX CONCURRENTLY kheops_webhooks_newest "
                                     "ON webhook_triggers (webhook_fk, pk DESC)"),
              "55P03");
    busy->execute("COMMIT");
    expect_script(kAccelerate, database_, "kheops_webhooks_newest: an unfinished one was dropped");
    EXPECT_EQ(database_.column("SELECT indisvalid FROM pg_index WHERE indexrelid = "
                               "'kheops_webhooks_newest'::regclass")[0],
              "t");
}

/// As a migration or a restore may do.
TEST_F(Accelerate, ATableMadeAnewIsNotTheOneThatWasCounted) {
    install();
    database_.execute(
        "CREATE TABLE made_anew (LIKE webhook_triggers INCLUDING ALL);"
        "DROP TABLE webhook_triggers CASCADE;"
        "ALTER TABLE made_anew RENAME TO webhook_triggers");
    EXPECT_EQ(in_force(kStock), "f");
    EXPECT_EQ(in_force(kAccelerated), "f");
    database_.execute(insert(3));
    expect_script(kAccelerate, database_, "count: corrected for 2 webhooks");
    expect_exact();
    EXPECT_EQ(in_force(kStock), "t");
    EXPECT_EQ(in_force(kAccelerated), "t");
}

TEST_F(Accelerate, ATriggerThatDoesNotFireIsNoticed) {
    install();
    int from = 1;
    for (const char* state : {"DISABLE", "ENABLE REPLICA"}) {
        database_.execute(std::string("ALTER TABLE webhook_triggers ") + state +
                          " TRIGGER kheops_webhooks_count_update");
        EXPECT_EQ(in_force(kStock), "f") << state;
        database_.execute("UPDATE webhook_triggers SET webhook_fk = " + std::to_string(3 - from) +
                          " WHERE webhook_fk = " + std::to_string(from));
        expect_script(kAccelerate, database_, "count: corrected for 2 webhooks");
        expect_exact(state);
        EXPECT_EQ(in_force(kStock), "t") << state;
        from = 3 - from;
    }
    database_.execute(
        "ALTER TABLE webhook_triggers ENABLE ALWAYS TRIGGER kheops_webhooks_count_update");
    EXPECT_EQ(in_force(kStock), "t");
    expect_script(kAccelerate, database_, "triggers: there already");
}

TEST_F(Accelerate, ADumpAndItsRestoreKeepIt) {
    install();
    TestDatabase restored;
    const Outcome copy = run(client("pg_dump", database_) + " | " +
                             client("psql -X -q -v ON_ERROR_STOP=1", restored));
    ASSERT_EQ(copy.status, 0) << copy.output;
    restored.execute(insert(5));
    EXPECT_EQ(restored.execute(kWrongCounts).dump(), "");
    TestConnection connection(restored.conninfo());
    prepare_list(connection, kAccelerated);
    EXPECT_EQ(list(connection, {"alice", "DemoAlbum1"}).text(0, "accelerated"), "t");
}

TEST_F(Accelerate, OnALogicalSubscriberItIsRefused) {
    database_.execute("CREATE SUBSCRIPTION kheops_" + database_.name() +
                      " CONNECTION 'dbname=nowhere' PUBLICATION nothing WITH (connect = false)");
    // As a subscription that had reached its publisher would have noted it.
    database_.execute(
        "INSERT INTO pg_subscription_rel SELECT oid, 'webhook_triggers'::regclass, 'r', NULL "
        "FROM pg_subscription WHERE subname = 'kheops_" +
        database_.name() + "'");
    const std::string before = described(database_);
    const Outcome outcome = run_script(kAccelerate, database_);
    EXPECT_EQ(outcome.status, 3);
    EXPECT_NE(outcome.output.find("logical replication"), std::string::npos) << outcome.output;
    EXPECT_EQ(described(database_), before);
    database_.execute(
        "DELETE FROM pg_subscription_rel WHERE srrelid = 'webhook_triggers'::regclass");
    database_.execute("ALTER SUBSCRIPTION kheops_" + database_.name() + " SET (slot_name = NONE)");
    database_.execute("DROP SUBSCRIPTION kheops_" + database_.name());
}

TEST_F(Accelerate, InAnotherKindOfDatabaseItDoesNothing) {
    TestDatabase empty;
    const std::string before = described(empty);
    const Outcome outcome = run_script(kAccelerate, empty);
    EXPECT_EQ(outcome.status, 3);
    EXPECT_NE(outcome.output.find("this is not a Kheops database"), std::string::npos)
        << outcome.output;
    expect_script(kUndo, empty, "not there");
    EXPECT_EQ(described(empty), before);
}

/// Writers go on, though one of them takes long and the scripts have to wait for it.
TEST_F(Accelerate, ItComesAndGoesWhileOthersWrite) {
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
