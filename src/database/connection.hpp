// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "database/error.hpp"
#include "database/result.hpp"
#include "deadline.hpp"

struct pg_conn;

namespace kheops {

/// A statement to prepare. `name` is unique in the program. Both texts have static lifetime.
struct Statement {
    enum class Objects {
        required,
        may_be_missing,  ///< a failure then does not mean that the database is unhealthy
    };

    const char* name = nullptr;
    const char* sql = nullptr;
    Objects objects = Objects::required;
};

/// Values of a statement's parameters as text; std::nullopt is NULL.
using Parameters = std::vector<std::optional<std::string>>;
/// Reads the rows of an answer. May throw DatabaseError to reject them.
using Reader = std::function<void(const Result&)>;

struct FinishConnection {
    void operator()(pg_conn* connection) const;
};
/// A libpq connection in any state.
using PgConnection = std::unique_ptr<pg_conn, FinishConnection>;

/// Waits until the connection's socket is ready for poll()'s `events`. Throws DatabaseError if
/// poll() fails or the deadline has passed. If the deadline's peer hangs up, shortens `deadline`:
/// to now while connecting, to 250 ms from now during a statement.
void wait_for_socket(pg_conn* connection, short events, Deadline& deadline);

/// Reformats a libpq message to one line for each server that it names.
[[nodiscard]] std::string line_for_each_server(const std::string& message);

/// An established connection to a server or a pooler. No call waits beyond its deadline. Only one
/// thread may use it at a time.
class Connection {
  public:
    explicit Connection(PgConnection established);

    /// Runs the statement and passes its rows to `read`. Prepares it first, unless it is prepared
    /// already or a pooler is used. Throws DatabaseError if the statement or `read` fails, the
    /// deadline passes, or its peer hangs up and a grace period ends. Check is_usable() afterwards.
    void run(const Statement& statement, const Parameters& parameters, Deadline deadline,
             const Reader& read);

    /// Runs `sql`, which has `statements` statements and no parameters, and returns the result of
    /// each. Throws as run() does.
    std::vector<Result> execute(const std::string& sql, std::size_t statements, Deadline deadline);

    /// Waits for the server's answer to an empty query. Throws as run() does.
    void ping(Deadline deadline) { execute("", 1, deadline); }

    /// False if the connection was lost or is still busy with an abandoned statement.
    [[nodiscard]] bool is_usable() const { return is_usable_; }
    /// False if unread data has arrived, usually because the server has closed the connection. Asks
    /// the kernel only and does not wait.
    [[nodiscard]] bool is_quiet() const;

    /// In libpq's form: 150004 is 15.4; 0 if unknown.
    [[nodiscard]] int server_version() const;
    /// The process ID that the server, or pooler, has reported.
    [[nodiscard]] int backend_pid() const;

    /// With a pooler, each statement may reach a different server: run() then prepares nothing.
    void set_uses_pooler() { uses_pooler_ = true; }
    [[nodiscard]] bool uses_pooler() const { return uses_pooler_; }

  private:
    template <typename Function>
    auto track_usability(const Function& function);
    void prepare(const Statement& statement, Deadline& deadline);
    void flush(Deadline& deadline);
    /// Returns exactly `answers` results of the sent statements, or throws DatabaseError.
    std::vector<Result> receive(std::size_t answers, Deadline& deadline);
    [[noreturn]] void throw_unreachable();

    PgConnection connection_;
    bool is_usable_ = true;
    bool uses_pooler_ = false;
    std::set<std::string_view> prepared_;  // names of prepared statements
};

}  // namespace kheops
