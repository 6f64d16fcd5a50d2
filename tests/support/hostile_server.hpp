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

// Messages of PostgreSQL's protocol 3.0 (PostgreSQL manual, "Message Formats").

[[nodiscard]] std::string pg_integer(std::int64_t value, size_t size);
[[nodiscard]] std::string pg_message(char type, const std::string& body = "");
/// Columns in binary format, without names and types.
[[nodiscard]] std::string pg_columns(size_t count);
[[nodiscard]] std::string pg_row(const std::vector<std::optional<std::string>>& values);
[[nodiscard]] std::string pg_error(const std::string& sqlstate, const std::string& text,
                                   const std::string& severity = "ERROR");
[[nodiscard]] std::string pg_complete();
[[nodiscard]] std::string pg_ready();

/// A server on a Unix socket that knows as much of PostgreSQL's protocol as the worker uses. A test
/// chooses each answer, valid or not.
class HostileServer {
  public:
    /// A request of the worker.
    struct Request {
        enum class Kind { startup, session, ping, prepare, execute } kind;
        std::string statement;  ///< its name, for `prepare` and `execute`
    };
    struct Reply {
        std::string once;
        /// Sent after `once`, again and again until the connection ends, with `pause` in between.
        std::string repeated = {};
        std::chrono::milliseconds pause = std::chrono::milliseconds(0);
        bool close = false;  ///< close the connection after the reply
    };
    /// Several threads call it, one at a time.
    using Script = std::function<Reply(const Request&)>;

    explicit HostileServer(Script script);
    ~HostileServer();
    HostileServer(const HostileServer&) = delete;
    HostileServer& operator=(const HostileServer&) = delete;

    /// The reply of a correct server. The reply to `execute` has the columns of
    /// sql/list_webhooks.sql, for an album with one webhook.
    [[nodiscard]] static Reply honest(const Request& request);
    /// The reply of a server of this version to `startup`.
    [[nodiscard]] static Reply startup(const std::string& version);
    /// The only row in honest()'s reply to `execute`.
    [[nodiscard]] static std::vector<std::optional<std::string>> honest_row();
    /// The reply to `execute` with these rows.
    [[nodiscard]] static std::string rows(
        const std::vector<std::vector<std::optional<std::string>>>& rows);

    [[nodiscard]] std::string conninfo() const;
    [[nodiscard]] std::string socket_path() const { return directory_.file(".s.PGSQL.5432"); }
    /// The number of connections made so far, and the number of those that are open.
    [[nodiscard]] int connections();
    [[nodiscard]] int open_connections();
    /// Shuts all connections down.
    void end_connections();
    /// How long the newest connection has been open; 0 if it has ended.
    [[nodiscard]] std::chrono::milliseconds age_of_last_connection();
    /// The number of requests of this kind so far, for this statement.
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
    void serve(Peer& peer);
    /// False if the connection has ended.
    bool answer(Peer& peer, const Request& request);

    TemporaryDirectory directory_;
    Descriptor listener_;
    Script script_;
    std::mutex mutex_;
    std::list<Peer> peers_;
    std::vector<Request> requests_;
    std::thread thread_;
};

}  // namespace kheops::test
