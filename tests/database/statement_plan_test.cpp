// SPDX-License-Identifier: MIT

// sql/list_webhooks.sql and sql/list_webhooks_accelerated.sql read only the rows that they need, in
// a database with a long history, whatever statistics PostgreSQL has. The tests count blocks of 8
// KiB, which do not depend on the machine; the history and its index have more than 2,800.

#include <gtest/gtest.h>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/list_statement.hpp"
#include "support/psql.hpp"

namespace kheops::test {
namespace {

/// 330 albums of 10 webhooks, all with "admin" as administrator and "member" as a member. In the
/// table of triggers lie those of the albums Old…, then 300,000 of the albums Spread…, then those
/// of New…; the albums None… have none. One more album has 30,000 webhooks without triggers.
constexpr const char* kData = R"(
    -- Skips the foreign key checks, which would take most of the time.
    SET session_replication_role = replica;
    ALTER TABLE webhook_triggers SET (autovacuum_enabled = off);
    ALTER TABLE webhook_attempts SET (autovacuum_enabled = off);

    INSERT INTO albums (id, name, created_time, last_event_time, add_user_permission,
                        download_series_permission, send_series_permission, delete_series_permission,
                        add_series_permission, write_comments_permission)
    SELECT name || lpad(n::text, 10 - length(name), '0'), name, now(), now(),
           true, true, true, true, true, true
    FROM (VALUES ('Old', 10), ('New', 10), ('None', 10), ('Spread', 300), ('Many', 1),
                 ('Inbox', 2000))
         AS groups (name, size), generate_series(1, size) AS n;

    INSERT INTO users (sub, inbox_fk)
    SELECT CASE n WHEN 1 THEN 'admin' WHEN 2 THEN 'member' ELSE 'user' || n END, pk
    FROM (SELECT pk, row_number() OVER (ORDER BY pk) AS n FROM albums WHERE name = 'Inbox') AS inbox;

    INSERT INTO album_user (album_fk, user_fk, admin, new_series_notifications,
                            new_comment_notifications, favorite)
    SELECT a.pk, u.pk, u.sub = 'admin', false, false, false
    FROM albums AS a, users AS u WHERE a.name <> 'Inbox' AND u.sub IN ('admin', 'member');

    INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, new_series, new_user,
                          album_fk)
    SELECT a.id || '-' || n, a.name, 'https://example.org/' || a.id, true, now(), 1, true, false, a.pk
    FROM albums AS a, generate_series(0, CASE a.name WHEN 'Many' THEN 29999 ELSE 9 END) AS n
    WHERE a.name <> 'Inbox' ORDER BY n, a.pk;

    CREATE FUNCTION add_triggers(album text, rounds integer) RETURNS void LANGUAGE sql AS $$
        INSERT INTO webhook_triggers (id, webhook_fk, is_manual_trigger, new_series, new_user)
        SELECT album || '-' || n || '-' || pk, pk, false, true, false
        FROM generate_series(1, rounds) AS n, webhooks WHERE name = album ORDER BY n, pk
    $$;
    CREATE FUNCTION add_attempts(album text) RETURNS void LANGUAGE sql AS $$
        INSERT INTO webhook_attempts (status, time, webhook_trigger_fk, attempt)
        SELECT 500 - 300 * (pk % 2), now(), pk, 1 FROM webhook_triggers WHERE id LIKE album || '-%'
    $$;
    SELECT add_triggers('Old', 10);
)";

/// All triggers belong to one webhook, and nearly all attempts to one trigger, not a recent one.
constexpr const char* kOneHistory = R"(
    INSERT INTO webhook_triggers (id, webhook_fk, is_manual_trigger, new_series, new_user)
    SELECT 'history-' || n, pk, false, true, false
    FROM generate_series(1, 300000) AS n, webhooks WHERE id = 'Spread0001-0';
    INSERT INTO webhook_attempts (status, time, webhook_trigger_fk, attempt)
    SELECT 500, now(), pk, n
    FROM generate_series(1, 50000) AS n, webhook_triggers WHERE id = 'history-1';
)";

constexpr const char* kSpreadHistory = R"(
    SELECT add_triggers('Spread', 100);
    INSERT INTO webhook_attempts (status, time, webhook_trigger_fk, attempt)
    SELECT 200, now(), pk, 1 FROM webhook_triggers WHERE id LIKE 'Spread-99-%';
)";

constexpr const char* kNewest = R"(
    SELECT add_triggers('New', 10);
    SELECT add_attempts('Old'), add_attempts('New');
    RESET session_replication_role;
)";

enum class History { all_in_one_webhook, evenly_spread };

class StatementPlan : public testing::TestWithParam<History> {
  protected:
    StatementPlan() : database_({"sql/schema.sql"}), connection_(database_.conninfo()) {
        const bool in_one = GetParam() == History::all_in_one_webhook;
        for (const char* part : {kData, in_one ? kOneHistory : kSpreadHistory, kNewest}) {
            connection_.execute(part);
        }
        prepare_list(connection_);
    }

    void expect_at_most(std::int64_t max, const std::string& sub, const std::string& album) {
        std::string plan;
        EXPECT_LE(blocks_for_list(connection_, {sub, album}, plan), max)
            << sub << " " << album << "\n"
            << plan;
    }

    void expect_bounded() {
        // 100 triggers in up to 100 blocks, read once and counted once in the index (which reads
        // their blocks again until VACUUM has marked these as all-visible); the attempts of 50.
        for (const char* album : {"Old0000001", "New0000010"}) {
            expect_at_most(480, "admin", album);
        }
        expect_at_most(120, "admin", "None000005");
        expect_only_the_gates_for_others();
        if (GetParam() == History::all_in_one_webhook) {
            expect_at_most(2 * blocks_of_all_triggers() + 400, "admin", "Spread0001");
            expect_at_most(120, "admin", "Spread0150");
        } else {
            // 1,000 triggers, each in a block of its own.
            expect_at_most(2400, "admin", "Spread0001");
            expect_at_most(2400, "admin", "Spread0150");
        }
    }

    void expect_only_the_gates_for_others() {
        for (const char* album : {"Old0000001", "Spread0001", "None000005"}) {
            expect_at_most(20, "member", album);
            expect_at_most(20, "user3", album);
            expect_at_most(20, "nobody", album);
        }
    }

    /// Calls `expect_bounded` with each kind of statistics that PostgreSQL may have.
    template <typename Expect>
    void with_all_statistics(Expect expect_bounded) {
        {
            SCOPED_TRACE("as loaded, without statistics");
            expect_bounded();
        }
        connection_.execute("ANALYZE");
        {
            SCOPED_TRACE("after ANALYZE");
            expect_bounded();
        }
        // A sample may show PostgreSQL too few different values.
        connection_.execute(
            "ALTER TABLE webhooks ALTER COLUMN album_fk SET (n_distinct = 1);"
            "ALTER TABLE webhook_triggers ALTER COLUMN webhook_fk SET (n_distinct = 1);"
            "ALTER TABLE webhook_attempts ALTER COLUMN webhook_trigger_fk SET (n_distinct = 1);"
            "ANALYZE");
        {
            SCOPED_TRACE("with statistics that know one webhook and one trigger");
            expect_bounded();
        }
        connection_.execute("VACUUM");
        {
            SCOPED_TRACE("after VACUUM");
            expect_bounded();
        }
    }

    std::int64_t blocks_of_all_triggers() {
        return std::stoll(connection_
                              .execute("SELECT (pg_relation_size('webhook_triggers') + "
                                       "pg_relation_size('webhook_triggers_webhook_fk_index')) / "
                                       "current_setting('block_size')::bigint")
                              .text(0, 0));
    }

    TestDatabase database_;
    TestConnection connection_;
};

TEST_P(StatementPlan, ReadsNoOtherWebhooksRows) {
    with_all_statistics([this] { expect_bounded(); });
}

/// 10 counts, and 50 triggers with their attempts, however long the history is.
TEST_P(StatementPlan, AcceleratedReadsOnlyTheRowsOfItsAnswer) {
    expect_script("sql/accelerate.sql", database_, "the list is accelerated");
    prepare_list(connection_, kAccelerated);
    with_all_statistics([this] {
        for (const char* album : {"Old0000001", "New0000010", "Spread0001", "Spread0150"}) {
            expect_at_most(450, "admin", album);
        }
        expect_at_most(120, "admin", "None000005");
        expect_only_the_gates_for_others();
    });
}

/// As in a real Kheops, every block has rows of many webhooks.
class StatementPlanOfAMixedHistory : public testing::Test {
  protected:
    StatementPlanOfAMixedHistory()
        : database_({"sql/schema.sql"}), connection_(database_.conninfo()) {
        connection_.execute(kData);
    }

    /// Adds triggers `first` to `last` of each webhook whose id matches, in turn.
    void fire(const std::string& ids, int first, int last) {
        connection_.execute(
            "INSERT INTO webhook_triggers (id, webhook_fk, is_manual_trigger, new_series, "
            "new_user) SELECT id || '-' || n, pk, false, true, false FROM generate_series(" +
            std::to_string(first) + ", " + std::to_string(last) + ") AS n, webhooks WHERE id ~ '" +
            ids + "' ORDER BY n, pk");
    }

    void vacuum_and_prepare() {
        // VACUUM skips blocks while the server's own ANALYZE uses them.
        await("every block is all-visible", [this] {
            connection_.execute("VACUUM ANALYZE");
            return connection_
                       .execute(
                           "SELECT count(*) FROM pg_class WHERE relname = 'webhook_triggers' "
                           "AND relallvisible = relpages")
                       .text(0, 0) == "1";
        });
        prepare_list(connection_);
    }

    std::int64_t blocks_for(const std::string& album) {
        return blocks_for_list(connection_, {"admin", album}, plan_);
    }

    TestDatabase database_;
    TestConnection connection_;
    std::string plan_;
};

TEST_F(StatementPlanOfAMixedHistory, ReadsNoMoreBlocksThanACountOfItsTriggers) {
    fire("^Spread000[12]-", 1, 10000);
    vacuum_and_prepare();
    const std::int64_t pass = blocks_of(
        connection_,
        "SELECT count(id) FROM webhook_triggers WHERE webhook_fk IN (" +
            connection_
                .execute("SELECT string_agg(pk::text, ',') FROM webhooks WHERE name = 'Spread' "
                         "AND id LIKE 'Spread0001-%'")
                .text(0, 0) +
            ")",
        plan_);
    EXPECT_GT(pass, 1500) << plan_;
    EXPECT_LE(blocks_for("Spread0001"), pass) << plan_;
}

/// From PostgreSQL 13 on, REINDEX and a restore make posting lists of up to 132 equal keys. A
/// backward scan returns each list in ascending order: here the last row of the index is the 132nd
/// newest.
TEST_F(StatementPlanOfAMixedHistory, FindsTheNewestWhereTheIndexIsDeduplicated) {
    fire("^Spread000[12]-", 1, 10 * 132);
    vacuum_and_prepare();
    connection_.execute("REINDEX TABLE webhook_triggers");
    EXPECT_LE(blocks_for("Spread0001"), 1500) << plan_;
}

TEST_F(StatementPlanOfAMixedHistory, ReadsNoNewerTriggersOfOtherWebhooks) {
    fire("^(Spread0001-0|Spread0002-.)$", 1, 2000);
    fire("^Spread0002-.$", 2001, 15000);
    vacuum_and_prepare();
    // The webhook's own triggers, of which about seven share a block.
    EXPECT_LE(blocks_for("Spread0001"), 700) << plan_;
}

INSTANTIATE_TEST_SUITE_P(Histories, StatementPlan,
                         testing::Values(History::all_in_one_webhook, History::evenly_spread),
                         [](const testing::TestParamInfo<History>& history) {
                             return history.param == History::all_in_one_webhook ? "AllInOneWebhook"
                                                                                 : "EvenlySpread";
                         });

}  // namespace
}  // namespace kheops::test
