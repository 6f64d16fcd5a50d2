// SPDX-License-Identifier: MIT
#include "support/subscription.hpp"

#include <exception>

#include "support/await.hpp"

namespace kheops::test {

Subscription::Subscription(TestDatabase& publisher, TestDatabase& subscriber,
                           const std::string& publication)
    : publisher_(publisher), subscriber_(subscriber), name_(subscriber.name() + "_" + publication) {
    // CREATE SUBSCRIPTION cannot create the slot here: that waits until all open transactions of
    // the cluster have ended, and CREATE SUBSCRIPTION itself runs in one.
    publisher_.execute("SELECT pg_create_logical_replication_slot('" + name_ + "', 'pgoutput')");
    subscriber_.execute("CREATE SUBSCRIPTION " + name_ + " CONNECTION $$" + publisher_.conninfo() +
                        "$$ PUBLICATION " + publication +
                        " WITH (create_slot = false, copy_data = false)");
}

Subscription::~Subscription() {
    try {
        subscriber_.execute("ALTER SUBSCRIPTION " + name_ + " DISABLE");
        subscriber_.execute("ALTER SUBSCRIPTION " + name_ + " SET (slot_name = NONE)");
        subscriber_.execute("DROP SUBSCRIPTION " + name_);
        const std::string slot = " FROM pg_replication_slots WHERE slot_name = '" + name_ + "'";
        await("the subscriber has left its slot",
              [&] { return publisher_.column("SELECT active" + slot).at(0) == "f"; });
        publisher_.execute("SELECT pg_drop_replication_slot(slot_name)" + slot);
    } catch (const std::exception&) {
        // The cluster is removed at the end of the run, with the slot.
    }
}

void Subscription::await_caught_up() {
    const std::string now = publisher_.column("SELECT pg_current_wal_lsn()").at(0);
    await("the subscriber has caught up", [&] {
        return publisher_
                   .execute("SELECT FROM pg_stat_replication WHERE application_name = '" + name_ +
                            "' AND replay_lsn >= '" + now + "'")
                   .count() > 0;
    });
}

}  // namespace kheops::test
