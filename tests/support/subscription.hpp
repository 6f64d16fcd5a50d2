// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// A subscription (logical replication) of one database of the tests' cluster to a publication of
/// another. Everything throws std::runtime_error with the server's message when it fails.
class Subscription {
  public:
    /// Follows `publication`, which is there, from now on; the subscriber has the tables, and what
    /// the publisher's hold already is not copied. Waits for the transactions of the whole cluster
    /// that have written and are open.
    Subscription(TestDatabase& publisher, TestDatabase& subscriber, const std::string& publication);
    /// Leaves no slot behind, so that both databases can be dropped. They must outlive it.
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    /// Returns once the subscriber has all that is committed in the publisher now. Throws after a
    /// minute, which is what a subscriber comes to that cannot apply a change.
    void await_caught_up();

  private:
    TestDatabase& publisher_;
    TestDatabase& subscriber_;
    /// Of the subscription and of its slot: both names are the whole cluster's.
    std::string name_;
};

}  // namespace kheops::test
