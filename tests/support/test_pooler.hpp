// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_cluster.hpp"

namespace kheops::test {

/// pgbouncer before the database postgres of a cluster. The destructor ends it.
class TestPooler {
  public:
    /// `mode` is session, transaction or statement. `size` is the maximum number of connections to
    /// the server, which all clients share.
    TestPooler(const TestCluster& cluster, const std::string& mode, int size);

    /// As TestDatabase::conninfo().
    [[nodiscard]] std::string conninfo() const {
        return "host='" + directory_.path() + "' port=6432 user=postgres dbname=postgres";
    }

  private:
    TemporaryDirectory directory_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
