// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/database.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// A PostgreSQL of the test's own, to be stopped, killed and frozen. Everything throws
/// std::runtime_error with the program's own words when it fails.
class TestCluster {
  public:
    /// Makes it and starts it; `settings` are lines for postgresql.conf.
    explicit TestCluster(const std::vector<std::string>& settings = {});
    /// Makes a hot standby that follows `primary`, and starts it.
    [[nodiscard]] static std::unique_ptr<TestCluster> standby_of(const TestCluster& primary);
    ~TestCluster();
    TestCluster(const TestCluster&) = delete;
    TestCluster& operator=(const TestCluster&) = delete;

    /// The directory of its socket, which is there while it runs; the port is 5432.
    [[nodiscard]] const std::string& host() const { return host_; }
    /// For libpq, as the superuser; more can be appended and wins.
    [[nodiscard]] std::string conninfo(const std::string& database = "postgres") const;
    /// Runs files of plain SQL, named from the source tree's root, in the database postgres.
    void load(const std::vector<std::string>& sql_files) const;

    /// Returns when it lets clients in.
    void start() const;
    /// Ends every connection and the server, in order.
    void stop() const;
    /// As if the power had failed: no process of it has time for a last word.
    void crash() const;
    /// Between the two no process of it runs, while the kernel still takes connections.
    void freeze() const;
    void thaw() const;

    /// Makes a standby the primary; returns when it takes changes.
    void promote() const;

    /// Puts a line at the front of pg_hba.conf and makes the server read it.
    void put_access_rule(const std::string& rule) const;
    /// How many connections to `database` there are, by the clients' application_name.
    [[nodiscard]] int connections(const std::string& application_name) const;

  private:
    struct Empty {};
    explicit TestCluster(Empty /*unused*/);

    /// Runs shell commands after scripts/lib.sh, with the cluster's directory as $dir and that of
    /// PostgreSQL's programs as $bin.
    void run(const std::string& commands) const;
    void signal_all(int number) const;

    TemporaryDirectory directory_;
    std::string path_;
    std::string host_;
};

}  // namespace kheops::test
