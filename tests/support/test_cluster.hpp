// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/database.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// A PostgreSQL server for one test, which can stop, kill and freeze it. A method that fails throws
/// std::runtime_error with the program's message.
class TestCluster {
  public:
    /// Creates and starts a cluster; `settings` are lines of postgresql.conf.
    explicit TestCluster(const std::vector<std::string>& settings = {});
    /// Creates and starts a hot standby of `primary`, which is stopped while it is copied. The
    /// installed pg_basebackup may be too old for the server.
    [[nodiscard]] static std::unique_ptr<TestCluster> standby_of(const TestCluster& primary);
    ~TestCluster();
    TestCluster(const TestCluster&) = delete;
    TestCluster& operator=(const TestCluster&) = delete;

    /// The directory of the server's socket; the port is 5432.
    [[nodiscard]] const std::string& host() const { return host_; }
    /// As TestDatabase::conninfo().
    [[nodiscard]] std::string conninfo(const std::string& database = "postgres") const;
    /// Runs files of plain SQL in the database postgres. Paths as in TestDatabase.
    void load(const std::vector<std::string>& sql_files) const;

    /// Returns when the server accepts clients.
    void start() const;
    /// A fast shutdown: ends all connections, then the server.
    void stop() const;
    /// Kills all processes of the server (SIGKILL), like a power failure.
    void crash() const;
    /// Pauses the server (SIGSTOP) until thaw(). The kernel still accepts connections.
    void freeze() const;
    void thaw() const;

    /// Promotes a standby; returns when it accepts writes.
    void promote() const;

    /// Inserts a line at the start of pg_hba.conf and makes the server read the file.
    void put_access_rule(const std::string& rule) const;
    /// The number of connections whose clients have this application_name.
    [[nodiscard]] int connections(const std::string& application_name) const;

  private:
    struct Empty {};
    explicit TestCluster(Empty /*unused*/);

    /// Runs shell commands that can use scripts/lib.sh, the cluster's directory as $dir and the
    /// directory of PostgreSQL's programs as $bin.
    void run(const std::string& commands) const;
    void signal_all(int number) const;

    TemporaryDirectory directory_;
    std::string path_;
    std::string host_;
};

}  // namespace kheops::test
