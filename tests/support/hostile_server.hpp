// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "descriptor.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

// Messages of PostgreSQL's protocol 3.0 (its manual, "Message Formats").

[[nodiscard]] std::string pg_integer(std::int64_t value, size_t size);
[[nodiscard]] std::string pg_message(char type, const std::string& body = "");
/// Columns in binary form without a name or a type.
[[nodiscard]] std::string pg_columns(size_t count);
[[nodiscard]] std::string pg_row(const std::vector<std::optional<std::string>>& values);
[[nodiscard]] std::string pg_error(const std::string& sqlstate, const std::string& text,
                                   const std::string& severity = "ERROR");
[[nodiscard]] std::string pg_complete();
[[nodiscard]] std::string pg_ready();

/// A server on a Unix socket that speaks as much of PostgreSQL's protocol as the worker needs to
/// ask its statement, and answers what a test makes up.
class HostileServer {
  public:
    /// What the worker wants.
    struct Request {
        enum class Kind { startup, session, ping, prepare, execute } kind;
        std::string statement;  ///< its name, of `prepare` and `execute`
    };
    struct Reply {
        std::string once;
        /// Sent after it, again and again until the connection ends, with that pause between.
        std::string repeated = {};
        std::chrono::milliseconds pause = std::chrono::milliseconds(0);
        bool close = false;  ///< the connection, after it
    };
    /// Called by several threads, one call at a time.
    using Script = std::function<Reply(const Request&)>;

    explicit HostileServer(Script script);
    ~HostileServer();
    HostileServer(const HostileServer&) = delete;
    HostileServer& operator=(const HostileServer&) = delete;

    /// What a well-behaved server answers. To `execute`, of an album with one webhook: the columns
    /// of sql/list_webhooks.sql.
    [[nodiscard]] static Reply honest(const Request& request);
    /// What a server of that version answers to `startup`.
    [[nodiscard]] static Reply startup(const std::string& version);
    /// The values of that answer's only row.
    [[nodiscard]] static std::vector<std::optional<std::string>> honest_row();
    /// The answer to `execute` with these rows.
    [[nodiscard]] static std::string rows(
        const std::vector<std::vector<std::optional<std::string>>>& rows);

    [[nodiscard]] std::string conninfo() const;
    [[nodiscard]] std::string socket_path() const { return directory_.file(".s.PGSQL.5432"); }
    /// How many connections have been made so far, and how many are open.
    [[nodiscard]] int connections();
    [[nodiscard]] int open_connections();
    /// Ends those that are open.
    void end_connections();
    /// How long the connection that was made last has been open; 0 where it has ended.
    [[nodiscard]] std::chrono::milliseconds age_of_last_connection();
    /// How often a request of that kind has been asked, of that statement.
    [[nodiscard]] int count_requests(Request::Kind kind, const std::string& statement = "");

  private:
    using Clock = std::chrono::steady_clock;
    struct Peer {
        Descriptor socket;
        Clock::time_point since = Clock::now();
        bool open = true;
        std::thread thread = {};
    };

    void accept_connections();
    void talk(Peer& peer);
    /// False when the connection has ended.
    bool answer(Peer& peer, const Request& request);

    TemporaryDirectory directory_;
    Descriptor listener_;
    Script script_;
    std::mutex mutex_;
    std::list<Peer> peers_;
    std::vector<Request> questions_;
    std::thread thread_;
};

}  // namespace kheops::test
