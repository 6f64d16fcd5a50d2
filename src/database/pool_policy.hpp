// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>

#include "deadline.hpp"

/// Rules of the connection pool. The functions read no clock; `random` is in [0, 1).
namespace kheops {

/// Time limits of the pool; tests use shorter ones.
struct PoolTimes {
    /// The pool closes connections that are idle for this long, except the last one. Defaults
    /// elsewhere: PostgREST 30 s, HikariCP 10 minutes, pgxpool 30 minutes. A connection takes a few
    /// milliseconds to make and about 10 MB of the server's memory to keep.
    std::chrono::milliseconds max_idle = std::chrono::minutes(5);
    /// Maximum age. The pool replaces an older idle connection, unless requests wait. PostgREST and
    /// HikariCP have the same default.
    std::chrono::milliseconds max_lifetime = std::chrono::minutes(30);
    /// Interval between checks of idle time and age, as in HikariCP.
    std::chrono::milliseconds maintenance_interval = std::chrono::seconds(30);
};

/// Returns the pause between two probes of a lost database: 200 to 600 ms at random, so that many
/// workers that lost it together do not reconnect together.
[[nodiscard]] std::chrono::milliseconds probe_interval(double random);

/// Returns the timeout of the probe with this number in a row, from 1: 1.5 s. Every fourth probe
/// waits at least for `budget`, in case the server accepts connections slowly.
[[nodiscard]] std::chrono::milliseconds probe_timeout(unsigned number,
                                                      std::chrono::milliseconds budget);

/// Returns how long the pool waits after `refusals` consecutive refusals, from 1, before it tries
/// to grow again: 1 s, doubled each time up to 30 s, of which a random 50 to 100 % is used.
[[nodiscard]] std::chrono::milliseconds growth_backoff(unsigned refusals, double random);

/// Returns a lifetime of 80 to 100 % of `max`, so that the connections of one burst are not
/// replaced at the same time.
[[nodiscard]] std::chrono::milliseconds lifetime(std::chrono::milliseconds max, double random);

/// Times that decide when an idle connection is closed.
struct ConnectionTimes {
    Clock::time_point last_used;
    Clock::time_point expires_at;
};

/// The pool's state when it decides whether to close an idle connection.
struct PoolState {
    std::size_t open;  ///< number of idle and borrowed connections
    bool is_limited;   ///< the server has reached a connection limit
    bool had_waiters;  ///< a request has waited for a connection since the last maintenance
};

/// Whether the connection has been idle too long and is not the only one.
[[nodiscard]] bool is_surplus(const ConnectionTimes& connection, const PoolState& pool,
                              const PoolTimes& times, Clock::time_point now);

/// Whether to replace the connection because it has expired. False after requests have waited, and
/// for the last connection if the server might give its place to another client.
[[nodiscard]] bool should_be_replaced(const ConnectionTimes& connection, const PoolState& pool,
                                      Clock::time_point now);

}  // namespace kheops
