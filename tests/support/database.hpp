// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// libpq's own names for them; its header stays out of the tests that do not need it.
struct pg_conn;
struct pg_result;

namespace kheops::test {

/// The result of a statement; values as PostgreSQL writes them.
class Rows {
  public:
    /// Takes the result over.
    explicit Rows(pg_result* result) : result_(result) {}

    [[nodiscard]] int count() const;
    [[nodiscard]] int columns() const;
    [[nodiscard]] bool is_null(int row, int column) const;
    /// Empty when NULL.
    [[nodiscard]] std::string text(int row, int column) const;
    [[nodiscard]] std::string text(int row, const std::string& column) const;
    /// Every value, "NULL" where it is: a line per row, columns separated by "|".
    [[nodiscard]] std::string dump() const;

  private:
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

/// One connection to the tests' PostgreSQL. Everything throws std::runtime_error with the server's
/// message when it fails.
class TestConnection {
  public:
    explicit TestConnection(const std::string& conninfo);

    /// Runs one or more statements; the result is the last one's. With parameters (nullopt is NULL)
    /// it may be only one.
    Rows execute(const std::string& sql);
    Rows execute(const std::string& sql, const std::vector<std::optional<std::string>>& parameters);

    /// The SQLSTATE with which it fails, empty when it does not.
    [[nodiscard]] std::string failure_of(const std::string& sql);

  private:
    struct Finish {
        void operator()(pg_conn* connection) const;
    };
    std::unique_ptr<pg_conn, Finish> connection_;
};

/// Holds an ACCESS EXCLUSIVE lock: whoever reads the table waits.
class TableLock {
  public:
    TableLock(const std::string& conninfo, const std::string& table);
    /// Those who wait go on; so they do when this object goes.
    void release();

  private:
    TestConnection connection_;
};

/// A database of its own in the cluster whose socket directory stands in the file named by
/// KHEOPS_TEST_CLUSTER (tests/support/cluster). It is dropped with this object, whoever is
/// connected.
class TestDatabase {
  public:
    /// Creates it and loads these files, named from the source tree's root.
    explicit TestDatabase(const std::vector<std::string>& sql_files = {});
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    /// For libpq, as the superuser; of the form "keyword=value …", so that more can be appended and
    /// wins.
    [[nodiscard]] std::string conninfo() const;
    [[nodiscard]] const std::string& name() const { return name_; }
    /// The directory of the server's socket.
    [[nodiscard]] const std::string& host() const { return host_; }

    /// Runs a file of plain SQL, named from the source tree's root.
    void load(const std::string& sql_file);
    /// TestConnection::execute on a connection of this object's own.
    Rows execute(const std::string& sql);
    Rows execute(const std::string& sql, const std::vector<std::optional<std::string>>& parameters);
    /// The first column of the result.
    [[nodiscard]] std::vector<std::string> column(const std::string& sql);

    [[nodiscard]] std::unique_ptr<TableLock> lock_table(const std::string& table) const;
    /// Returns once somebody waits for a lock in this database.
    void await_waiting_backend();
    /// Ends every connection to this database but this object's; returns when they are gone.
    void terminate_backends();
    /// Between the two the server knows no database of this name.
    void rename_away();
    void rename_back();

  private:
    TestConnection& connection();

    std::string host_;
    std::string name_;
    TestConnection server_;                     // to the database postgres
    std::unique_ptr<TestConnection> database_;  // made when first used
};

}  // namespace kheops::test
