// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// A subscription (logical replication) of one database of the tests' cluster to a publication of
/// another. A method that fails throws std::runtime_error with the server's message.
class Subscription {
  public:
    /// Subscribes to `publication`. The publication and the subscriber's tables must exist; rows
    /// that the publisher already has are not copied. Waits until every open transaction of the
    /// cluster that has written ends.
    Subscription(TestDatabase& publisher, TestDatabase& subscriber, const std::string& publication);
    /// Drops the slot too, so that both databases can be dropped. They must outlive this object.
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    /// Returns when the subscriber has applied all that the publisher has committed before the
    /// call. Throws after 60 s, for example if the subscriber cannot apply a change.
    void await_caught_up();

  private:
    TestDatabase& publisher_;
    TestDatabase& subscriber_;
    std::string name_;  // of the subscription and of its slot; unique in the cluster
};

}  // namespace kheops::test
