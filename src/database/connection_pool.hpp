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

/// The connections to the database, which the serving threads borrow, and whether the database is
/// there: up, suspect while that is being found out, or down. Threads of its own connect, so that a
/// request can take whichever comes first, a new connection or one that another request returns;
/// they also probe a database that is suspect or down, and close what has been idle or has lived
/// long enough. While it is down, requests are refused at once.
///
/// It grows while requests wait and none is idle, up to a maximum. Where the server gives no more
/// and some are there, requests wait for those, in the order in which they came, and now and then
/// another one is tried. A lost database, one that is back, and a server that gives no more are
/// logged once each. Safe to use from several threads; nothing slow happens under its lock.
class ConnectionPool {
  public:
    class Lease;

    /// `max_connections` is above 0; `log` outlives this. Connects to nothing before borrow() is
    /// called. Throws std::system_error when the kernel gives no thread.
    ConnectionPool(DatabaseSettings settings, std::size_t max_connections, const Log& log,
                   const PoolTimes& times = {});
    /// \pre Nobody borrows any more, and all leases are returned. Ends what is under way at once,
    /// but for a name that libpq is looking up.
    ~ConnectionPool();
    ConnectionPool(const ConnectionPool&) = delete;
    ConnectionPool& operator=(const ConnectionPool&) = delete;

    /// The connection that was used last of those that are idle; otherwise waits for one. Throws
    /// DatabaseError when the database is down or the deadline passes.
    [[nodiscard]] Lease borrow(Deadline deadline);

    /// A statement failed for good. Where silence is the reason, the database becomes suspect,
    /// unless another connection has just been answered.
    void failed(const DatabaseError& error);

    [[nodiscard]] LockBreaker& lock_breaker() { return lock_breaker_; }

  private:
    enum class State { up, suspect, down };

    struct Pooled {
        std::unique_ptr<Connection> connection;
        IdleConnection times;
        bool is_new = true;
    };
    /// A request that waits. One of the two is there once it is called.
    struct Waiter {
        std::condition_variable called;
        std::optional<Pooled> connection;
        std::optional<DatabaseError> error;
    };
    struct Event {
        LogLevel level;
        std::string_view name;
        LogPairs pairs;
    };
    using Lock = std::unique_lock<std::mutex>;

    /// Ends the connecting threads.
    void stop();
    /// Takes back what was borrowed. `answered`: the statement succeeded.
    void take_back(Pooled pooled, bool answered);

    // Of the connecting threads. \pre `lock` holds mutex_; it is released meanwhile.
    void run_connector();
    void open_connection(Lock& lock, std::chrono::milliseconds limit);
    void probe(Lock& lock);
    void maintain(Lock& lock);
    /// Logs and closes what has been collected, without the lock.
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
    /// Gives it to the request that waits first, or keeps it.
    void hand_over(Pooled pooled);
    void note_closed(std::size_t connections);
    void close_idle(bool dead_only);
    void set_up();
    void set_suspect(Clock::time_point next_probe);
    void set_down(const DatabaseError& error);
    /// Has each line of the error's text logged that is new since the database was last well.
    void log_loss(const DatabaseError& error);

    const DatabaseSettings settings_;
    const std::size_t max_connections_;
    const Log& log_;
    LockBreaker lock_breaker_{log_};
    const PoolTimes times_;
    Descriptor stop_signal_;  // hangs up when stop_end_ is closed
    Descriptor stop_end_;

    std::mutex mutex_;
    std::condition_variable work_changed_;  // the connecting threads wait for it

    std::size_t open_ = 0;        // idle or borrowed
    std::size_t connecting_ = 0;  // being made
    std::vector<Pooled> idle_;    // the one used last at the back; empty while a request waits
    std::deque<Waiter*> waiters_;
    Clock::time_point last_answer_;  // from the server, on any connection

    std::optional<DatabaseError> loss_;  // why it is down
    Clock::time_point next_probe_;
    Clock::time_point refused_since_;  // while there are connections
    Clock::time_point next_growth_;
    Clock::time_point opened_at_;  // the newest connection
    std::size_t limited_to_ = 0;
    Clock::time_point next_maintenance_;

    std::set<std::string> logged_reasons_;  // since the database was last well
    std::vector<Event> events_;             // to be logged
    std::vector<Pooled> closing_;           // to be closed

    State state_ = State::up;
    unsigned probes_ = 0;    // in a row
    unsigned refusals_ = 0;  // in a row
    bool is_stopping_ = false;
    bool is_probing_ = false;
    bool out_of_connections_ = false;  // that is why it is suspect
    bool is_limited_ = false;          // logged that the server gives no more
    bool has_been_waiting_ = false;    // a request, since the last maintenance
    bool is_pooler_logged_ = false;

    std::vector<std::thread> connectors_;
};

/// A connection that is borrowed, and returned when this goes.
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
    /// Whether nobody has used it before.
    [[nodiscard]] bool is_new() const { return pooled_.is_new; }
    /// The statement succeeded: the database is well.
    void note_success() { answered_ = true; }

  private:
    void give_back() noexcept;

    ConnectionPool* pool_;
    Pooled pooled_;
    bool answered_ = false;
};

}  // namespace kheops
