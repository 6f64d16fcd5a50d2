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

/// A statement to prepare: its name, unique in the program, and its text. Both live for ever.
struct Statement {
    enum class Objects {
        required,
        may_be_missing,  ///< that it fails then says nothing of the database's health
    };

    const char* name = nullptr;
    const char* sql = nullptr;
    Objects objects = Objects::required;
};

/// Those of a statement as text; nothing: null.
using Parameters = std::vector<std::optional<std::string>>;
using Reader = std::function<void(const Result&)>;

struct FinishConnection {
    void operator()(pg_conn* connection) const;
};
/// libpq's connection, in whatever state.
using PgConnection = std::unique_ptr<pg_conn, FinishConnection>;

/// Waits until the connection's socket is ready for poll()'s `events`. Throws DatabaseError when
/// the deadline has passed. Where the caller hangs up, `deadline` becomes that of the rest: none
/// while the connection is being made, a moment for a statement.
void wait_for_socket(pg_conn* connection, short events, Deadline& deadline);

/// libpq's message in one line for each server that it tells of.
[[nodiscard]] std::string line_for_each_server(const std::string& message);

/// An established connection to a server or a pooler. It never waits longer than it is told. For
/// one thread at a time.
class Connection {
  public:
    explicit Connection(PgConnection established);

    /// Runs the statement, which is prepared first where the connection does not know it yet and is
    /// not a pooler's, and gives its rows to `read`. Throws DatabaseError, whatever the server
    /// sends, at the latest when `deadline` has passed or soon after its caller hung up. Unless the
    /// server itself reported the error, nothing can be asked any more then: is_usable().
    void run(const Statement& statement, const Parameters& parameters, Deadline deadline,
             const Reader& read);

    /// Runs plain SQL without parameters, which has that many statements, and returns what each
    /// answers. Throws as run() does.
    std::vector<Result> execute(const std::string& sql, std::size_t statements, Deadline deadline);

    /// Throws as run() does unless the server answers.
    void ping(Deadline deadline) { execute("", 1, deadline); }

    /// False where it was lost, or is still busy with what nobody waits for any more.
    [[nodiscard]] bool is_usable() const { return is_usable_; }
    /// False where the server has sent something that nobody asked for, most often that it ends the
    /// connection. Asks the kernel and not the server.
    [[nodiscard]] bool is_quiet() const;

    /// As libpq counts: 150004 is 15.4; 0 where the server did not say.
    [[nodiscard]] int server_version() const;
    /// The process that the server, or pooler, says it is.
    [[nodiscard]] int backend_pid() const;

    /// Each statement may have another server: nothing is prepared.
    void set_pooled() { is_pooled_ = true; }
    [[nodiscard]] bool is_pooled() const { return is_pooled_; }

  private:
    template <typename Function>
    auto close_on_error(const Function& function);
    void prepare(const Statement& statement, Deadline& deadline);
    void flush(Deadline& deadline);
    /// The answers to what was sent, as many as that. Whatever comes instead ends in a
    /// DatabaseError.
    std::vector<Result> receive(std::size_t answers, Deadline& deadline);
    [[noreturn]] void throw_unreachable();

    PgConnection connection_;
    bool is_usable_ = true;
    bool is_pooled_ = false;
    std::set<std::string_view> prepared_;  // names of the statements that the server knows
};

}  // namespace kheops
