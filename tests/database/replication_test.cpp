// SPDX-License-Identifier: MIT

// Logical replication of a Kheops database.

#include <gtest/gtest.h>

#include "support/database.hpp"
#include "support/subscription.hpp"

namespace kheops::test {
namespace {

TEST(Replication, ASubscriberToAllTablesReceivesATrigger) {
    TestDatabase publisher({"sql/schema.sql", "sql/example-data.sql"});
    TestDatabase subscriber({"sql/schema.sql", "sql/example-data.sql"});
    publisher.execute("CREATE PUBLICATION everything FOR ALL TABLES");
    Subscription subscription(publisher, subscriber, "everything");
    publisher.execute(
        "INSERT INTO webhook_triggers (id, webhook_fk, new_series, new_user) "
        "VALUES ('new', 1, true, false)");
    subscription.await_caught_up();
    EXPECT_EQ(subscriber.execute("SELECT FROM webhook_triggers WHERE id = 'new'").count(), 1);
}

}  // namespace
}  // namespace kheops::test
