// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_cluster.hpp"

namespace kheops::test {

/// pgbouncer before the database postgres of a cluster. Ended when this is destroyed.
class TestPooler {
  public:
    /// `mode`: session, transaction or statement. `size`: how many connections to the server serve
    /// all clients.
    TestPooler(const TestCluster& cluster, const std::string& mode, int size);

    /// For libpq; more can be appended and wins.
    [[nodiscard]] std::string conninfo() const {
        return "host='" + directory_.path() + "' port=6432 user=postgres dbname=postgres";
    }

  private:
    TemporaryDirectory directory_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
