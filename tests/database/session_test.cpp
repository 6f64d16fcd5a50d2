// SPDX-License-Identifier: MIT

// What a connection is set to, whatever its database and its role are.

#include <gtest/gtest.h>

#include "database/postgres.hpp"
#include "support/database.hpp"

namespace kheops::test {
namespace {

constexpr Statement kSettings = {
    "settings",
    "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings "
    "WHERE name IN "
    "('default_transaction_read_only', 'jit', 'plan_cache_mode', 'statement_timeout')"};

TEST(Session, IsSetUpWhateverTheDatabasesOwnSettingsAre) {
    TestDatabase database;
    for (const char* setting : {"default_transaction_read_only = off", "jit = on",
                                "plan_cache_mode = force_custom_plan", "statement_timeout = 0"}) {
        database.execute("ALTER DATABASE \"" + database.name() + "\" SET " + setting);
    }
    const Log log(LogLevel::error);
    DatabaseHealth health(log);
    Database connection({.connection = database.conninfo(),
                         .name = {},
                         .user = {},
                         .password_file = {},
                         .statement_timeout = std::chrono::milliseconds(12345)},
                        health);
    const Deadline deadline(Clock::now() + std::chrono::seconds(30));
    EXPECT_EQ(connection.query(kSettings, {}, deadline).text(0, 0),
              "default_transaction_read_only=on jit=off plan_cache_mode=force_generic_plan "
              "statement_timeout=12345");
}

}  // namespace
}  // namespace kheops::test
