// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "database/connect.hpp"
#include "database/connection.hpp"
#include "database/error.hpp"
#include "database/lock_breaker.hpp"
#include "database/pool_policy.hpp"
#include "deadline.hpp"
#include "descriptor.hpp"
#include "log.hpp"

namespace kheops {

/// A pool of database connections for the serving threads. It knows the state of the database: up,
/// suspect (until a probe decides) or down. While it is down, the pool refuses requests at once.
/// Threads of the pool connect, so that a request takes the first available connection, a new one
/// or one that another request returns. They also probe a suspect or down database, and close
/// connections that have been idle too long or have expired.
///
/// The pool grows while requests wait and no connection is idle, up to a maximum. If the server
/// refuses more connections while some exist, requests wait for these in order of arrival, and the
/// pool tries to grow again after a backoff. It logs once when the database is lost or back, and
/// when a connection limit is reached or lifted. Thread-safe; nothing blocks under the lock.
class ConnectionPool {
  public:
    class Lease;

    /// Connects only after the first borrow(). `max_connections` is above 0; `log` must outlive the
    /// pool. Throws std::system_error if the kernel cannot create a thread.
    ConnectionPool(DatabaseSettings settings, std::size_t max_connections, const Log& log,
                   const PoolTimes& times = {});
    /// \pre No thread calls borrow(), and all leases have ended. Aborts connecting and probing at
    /// once, except while libpq resolves a name.
    ~ConnectionPool();
    ConnectionPool(const ConnectionPool&) = delete;
    ConnectionPool& operator=(const ConnectionPool&) = delete;

    /// Returns the most recently used idle connection, or waits for one. Throws DatabaseError if
    /// the database is down or the deadline passes.
    [[nodiscard]] Lease borrow(Deadline deadline);

    /// Reports that a statement failed and is not repeated. Marks the database suspect if the
    /// server did not answer in time and no connection has received an answer in the last second.
    /// Logs an error that may affect other requests.
    void note_failure(const DatabaseError& error);

    /// The present state, for the operator (contract section 11).
    struct Status {
        bool is_down = false;    ///< known to be down; without requests, nothing is known
        std::size_t open = 0;    ///< connections, idle or in use
        std::size_t in_use = 0;  ///< of `open`
    };
    /// Does not wait, and asks the database nothing.
    [[nodiscard]] Status status();

    [[nodiscard]] LockBreaker& lock_breaker() { return lock_breaker_; }

  private:
    enum class State { up, suspect, down };

    struct Pooled {
        std::unique_ptr<Connection> connection;
        ConnectionTimes times;
        bool is_new = true;
    };
    /// A request that waits. The pool sets exactly one of the optionals before it notifies `done`.
    struct Waiter {
        std::condition_variable done;
        std::optional<Pooled> connection;
        std::optional<DatabaseError> error;
    };
    struct Event {
        LogLevel level;
        std::string_view name;
        LogPairs pairs;
    };
    using Lock = std::unique_lock<std::mutex>;

    /// Stops and joins the connecting threads.
    void stop();
    /// Takes back a borrowed connection. `answered`: its statement succeeded.
    void take_back(Pooled pooled, bool answered);

    // Run by the connecting threads. \pre `lock` holds mutex_. They unlock it while they do I/O.
    void run_connector();
    void open_connection(Lock& lock, std::chrono::milliseconds limit);
    void probe(Lock& lock);
    void maintain(Lock& lock);
    /// Unlocks, then logs events_ and closes the connections in closing_.
    void finish_work(Lock& lock);

    // \pre mutex_ is held, here and below.
    [[nodiscard]] bool has_room() const;
    [[nodiscard]] bool is_growth_due(Clock::time_point now) const;
    [[nodiscard]] bool is_probe_due(Clock::time_point now) const;
    [[nodiscard]] bool is_maintenance_due(Clock::time_point now) const;
    [[nodiscard]] Clock::time_point next_work() const;
    [[nodiscard]] PoolState state_for_policy() const;

    void add_opened(std::unique_ptr<Connection> connection);
    void note_refusal(const DatabaseError& error, Clock::time_point began);
    void note_limit(const DatabaseError& error, Clock::time_point now);
    void note_no_limit(Clock::time_point now);
    /// Gives the connection to the first waiting request, or makes it idle.
    void hand_over(Pooled pooled);
    void note_closed(std::size_t connections);
    void close_idle(bool dead_only);
    void set_up();
    void set_suspect(Clock::time_point next_probe);
    void set_down(const DatabaseError& error);
    /// Logs each line of the error that has not been logged during this loss.
    void log_loss(const DatabaseError& error);

    const DatabaseSettings settings_;
    const std::size_t max_connections_;
    const Log& log_;
    LockBreaker lock_breaker_{log_};
    const PoolTimes times_;
    Descriptor stop_signal_;  // hangs up when stop_end_ is closed
    Descriptor stop_end_;

    std::mutex mutex_;
    std::condition_variable work_changed_;  // wakes connecting threads

    std::size_t open_ = 0;        // idle or borrowed
    std::size_t connecting_ = 0;  // attempts in progress
    std::vector<Pooled> idle_;    // most recently used last; empty while a request waits
    std::deque<Waiter*> waiters_;
    Clock::time_point last_answer_;  // from the server, on any connection

    std::optional<DatabaseError> loss_;  // why the database is down
    Clock::time_point next_probe_;
    Clock::time_point refused_since_;  // when the first of refusals_ began
    Clock::time_point next_growth_;
    Clock::time_point opened_at_;  // the newest connection
    std::size_t limited_to_ = 0;   // largest open_ at a refusal
    Clock::time_point next_maintenance_;

    std::set<std::string> logged_reasons_;  // since the database was lost
    std::vector<Event> events_;             // to be logged
    std::vector<Pooled> closing_;           // to be closed

    State state_ = State::up;
    unsigned probes_ = 0;    // in a row
    unsigned refusals_ = 0;  // in a row
    bool is_stopping_ = false;
    bool is_probing_ = false;
    bool out_of_connections_ = false;  // why the database is suspect
    bool is_limited_ = false;          // a connection limit has been logged
    bool had_waiters_ = false;         // since the last maintenance
    bool is_pooler_logged_ = false;

    std::vector<std::thread> connectors_;
};

/// A borrowed connection. The destructor returns it to the pool.
class ConnectionPool::Lease {
  public:
    Lease(ConnectionPool& pool, Pooled pooled) : pool_(&pool), pooled_(std::move(pooled)) {}
    ~Lease() { give_back(); }
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), pooled_(std::move(other.pooled_)) {}
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    [[nodiscard]] Connection& connection() const { return *pooled_.connection; }
    /// Whether nobody has used the connection before.
    [[nodiscard]] bool is_new() const { return pooled_.is_new; }
    /// Reports that the statement succeeded, so the database is up.
    void note_success() { answered_ = true; }

  private:
    void give_back() noexcept;

    ConnectionPool* pool_;
    Pooled pooled_;
    bool answered_ = false;
};

}  // namespace kheops
