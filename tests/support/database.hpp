// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Declared here to keep libpq's header out of tests that do not need it.
struct pg_conn;
struct pg_result;

namespace kheops::test {

/// The result of a statement, with values in PostgreSQL's text form.
class Rows {
  public:
    /// Takes ownership of the result.
    explicit Rows(pg_result* result) : result_(result) {}

    [[nodiscard]] int count() const;
    [[nodiscard]] int columns() const;
    [[nodiscard]] bool is_null(int row, int column) const;
    /// Empty if the value is NULL.
    [[nodiscard]] std::string text(int row, int column) const;
    [[nodiscard]] std::string text(int row, const std::string& column) const;
    /// All values, "NULL" for NULL: one line for each row, columns separated by "|".
    [[nodiscard]] std::string dump() const;

  private:
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

/// One connection to the tests' PostgreSQL. A method that fails throws std::runtime_error with the
/// server's message.
class TestConnection {
  public:
    explicit TestConnection(const std::string& conninfo);

    /// Runs one or more statements and returns the last result. With parameters (nullopt is NULL),
    /// it must be a single statement.
    Rows execute(const std::string& sql);
    Rows execute(const std::string& sql, const std::vector<std::optional<std::string>>& parameters);

    /// Runs statements and returns the SQLSTATE of their failure, or "" if they succeed.
    [[nodiscard]] std::string failure_of(const std::string& sql);

  private:
    struct Finish {
        void operator()(pg_conn* connection) const;
    };
    std::unique_ptr<pg_conn, Finish> connection_;
};

/// Holds an ACCESS EXCLUSIVE lock, so that every other session that reads the table waits.
class TableLock {
  public:
    TableLock(const std::string& conninfo, const std::string& table);
    /// Ends the lock; the destructor does so too.
    void release();

  private:
    TestConnection connection_;
};

/// A new database in the cluster of tests/support/cluster; KHEOPS_TEST_CLUSTER names the file with
/// its socket directory. The destructor ends all connections to the database and drops it.
class TestDatabase {
  public:
    /// Creates it and loads these files; paths are relative to the source tree's root.
    explicit TestDatabase(const std::vector<std::string>& sql_files = {});
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    /// For libpq, as superuser: "keyword=value …". A caller can append keywords, which override
    /// these.
    [[nodiscard]] std::string conninfo() const;
    [[nodiscard]] const std::string& name() const { return name_; }
    /// The directory of the server's socket.
    [[nodiscard]] const std::string& host() const { return host_; }

    /// Runs a file of plain SQL; the path is relative to the source tree's root.
    void load(const std::string& sql_file);
    /// TestConnection::execute on this object's own connection.
    Rows execute(const std::string& sql);
    Rows execute(const std::string& sql, const std::vector<std::optional<std::string>>& parameters);
    /// The first column of the result.
    [[nodiscard]] std::vector<std::string> column(const std::string& sql);

    [[nodiscard]] std::unique_ptr<TableLock> lock_table(const std::string& table) const;
    /// Returns when a session waits for a lock in this database.
    void await_waiting_backend();
    /// Ends all connections to this database except this object's; returns when they have ended.
    void terminate_backends();
    /// Drops a role. What it owns in this database becomes the superuser's.
    void drop_role(const std::string& role);
    /// Renames the database, so that its name does not exist until rename_back().
    void rename_away();
    void rename_back();

  private:
    TestConnection& connection();

    std::string host_;
    std::string name_;
    TestConnection server_;                     // to the database postgres
    std::unique_ptr<TestConnection> database_;  // connects at the first use
};

}  // namespace kheops::test
