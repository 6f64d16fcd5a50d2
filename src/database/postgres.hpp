// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "database/error.hpp"
#include "database/health.hpp"
#include "deadline.hpp"

struct pg_conn;
struct pg_result;

/// A connection to PostgreSQL that never waits longer than it is told and heals by itself. The one
/// door to libpq.
namespace kheops {

/// How to reach the database (contract section 7).
struct DatabaseSettings {
    /// libpq's connection string or URI; empty: libpq's own `PG*` variables and files.
    std::string connection;
    /// These win over the connection string where they are not empty.
    std::string name;
    std::string user;
    /// Read at each connect, so that a changed password needs no restart; empty: none.
    std::string password_file;
    /// The server ends a statement that runs longer; milliseconds, above 0.
    std::chrono::milliseconds statement_timeout{5000};
};

/// A statement to prepare: its name, unique in the program, and its text. Both live for ever.
struct Statement {
    enum class Objects {
        required,
        may_be_missing,  ///< that it is unfit then says nothing of the database's health
    };

    const char* name = nullptr;
    const char* sql = nullptr;
    Objects objects = Objects::required;
};

/// The rows of an answer, which nothing but the server vouches for. Reading a value that is null,
/// not there, or not of that type in the server's binary form throws DatabaseError.
class Result {
  public:
    explicit Result(pg_result* result) : result_(result) {}

    /// Throws DatabaseError (08P01) unless `holds`. `promise` says what the statement promises.
    static void expect(bool holds, const char* promise);

    [[nodiscard]] int rows() const;
    [[nodiscard]] int columns() const;
    /// \pre 0 <= row < rows(), here and below; columns count from 0.
    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] bool boolean(int row, int column) const;
    /// A bigint that is not negative.
    [[nodiscard]] std::int64_t count(int row, int column) const;
    [[nodiscard]] std::string text(int row, int column) const;
    [[nodiscard]] std::vector<bool> boolean_array(int row, int column) const;
    [[nodiscard]] std::vector<std::string> text_array(int row, int column) const;

  private:
    struct Clear {
        void operator()(pg_result* result) const;
    };

    /// The octets of a value in the server's binary form.
    [[nodiscard]] std::string_view octets(int row, int column) const;

    std::unique_ptr<pg_result, Clear> result_;
};

/// One connection, made at the first query and again whenever it is lost. Used by one thread.
class Database {
  public:
    /// `health` outlives this.
    Database(DatabaseSettings settings, DatabaseHealth& health)
        : settings_(std::move(settings)), health_(health) {}

    using Parameters = std::vector<std::optional<std::string>>;
    using Reader = std::function<void(const Result&)>;

    /// Runs the statement with text parameters (nothing: null) and gives its rows to `read`.
    /// Prepares it first on a connection that does not know it yet, unless that is a pooler's. The
    /// statement is repeated once after a conflict; and on a new connection where the connection
    /// turns out to be lost, the plan no longer fits, or the answer is none: `read` throws
    /// DatabaseError then, as Result does. Throws DatabaseError, whatever the server sends, at the
    /// latest when `deadline` has passed or soon after its caller hung up; the connection is closed
    /// then, at which the server ends the statement.
    void query(const Statement& statement, const Parameters& parameters, Deadline deadline,
               const Reader& read);

    /// Makes the connection, whatever is known of the database's health. Throws DatabaseError.
    void connect(Deadline deadline);

    /// Why libpq would refuse to connect with these settings and what its environment and files add
    /// to them; nothing where it would not. Connects to nothing and looks no name up. The values of
    /// options are left out: one could hold a password.
    [[nodiscard]] static std::optional<std::string> refusal_of(const DatabaseSettings& settings);

  private:
    struct Finish {
        void operator()(pg_conn* connection) const;
    };
    struct Host;

    /// connect() with a deadline that the steps share.
    void open(Deadline& deadline);
    using Option = std::pair<const char*, const char*>;  // keyword and value

    /// The hosts among which reach_server() chooses. None where libpq refuses the lists, or fills
    /// gaps in them in its own way: then it alone chooses.
    static std::vector<Host> hosts_of(pg_conn* connection);
    /// The one that libpq is busy with; without an address where it has a name.
    static Host current_host(pg_conn* connection);
    static std::string joined(const std::vector<Host>& hosts, std::string Host::*part);
    /// Makes a connection to one of the hosts that are named. One that is silent for its share of
    /// the time, or ends the connection before it is made, is left out; which of the others will do
    /// is libpq's business (target_session_attrs). Throws the reason of each host. A host's name is
    /// looked up by libpq, which waits as long as the resolver does, beyond the deadline and after
    /// the caller hung up; `hostaddr` spares that.
    void reach_server(Deadline& deadline);
    /// No hosts: those of the settings.
    void start_connecting(const std::vector<Host>& hosts);
    /// Begins to connect with the settings; `overriding` win over them where not empty.
    static std::unique_ptr<pg_conn, Finish> start(const DatabaseSettings& settings,
                                                  const std::vector<Option>& overriding);
    /// Throws where none of the hosts would do, or one was silent for its share of the time.
    void negotiate(size_t hosts, Deadline& deadline);
    void set_session_up(Deadline& deadline);
    void attempt(const Statement& statement, const Parameters& parameters, Deadline& deadline,
                 const Reader& read);
    void prepare(const Statement& statement, Deadline& deadline);
    void flush(Deadline& deadline);
    /// The one answer to what was sent. Whatever comes instead ends in a DatabaseError.
    Result receive(Deadline& deadline);
    /// Waits until the connection's socket is ready for poll()'s `events`. Where the caller hangs
    /// up, `deadline` becomes that of the rest.
    void wait(short events, Deadline& deadline);
    [[noreturn]] void fail_late();
    [[noreturn]] void fail_unreachable();

    DatabaseSettings settings_;
    DatabaseHealth& health_;
    std::unique_ptr<pg_conn, Finish> connection_;
    bool pooled_ = false;  // connection_ is to a pooler: each statement may have another server
    std::set<std::string_view> prepared_;  // names of the statements that connection_ knows
    bool caller_gone_ = false;             // the caller of this query has hung up
};

}  // namespace kheops
