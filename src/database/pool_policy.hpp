// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>

#include "deadline.hpp"

/// When the connection pool tries, closes and gives up. Reads no clock; `random` is from [0, 1).
namespace kheops {

/// The pool's times for what happens in minutes; the tests have shorter ones.
struct PoolTimes {
    /// A connection that was not used for so long is closed, but for the last one. PostgREST waits
    /// 30 s, HikariCP 10 minutes, pgxpool 30: a connection costs a few milliseconds to make and
    /// some 10 MB in the server to keep.
    std::chrono::milliseconds max_idle = std::chrono::minutes(5);
    /// How old a connection becomes at most, if requests leave it alone for a moment: as with
    /// PostgREST and HikariCP.
    std::chrono::milliseconds max_lifetime = std::chrono::minutes(30);
    /// How often the pool looks for such connections: as HikariCP does.
    std::chrono::milliseconds maintenance_interval = std::chrono::seconds(30);
};

/// How long to pause between two probes of a lost database: 200 to 600 ms, so that many workers
/// that lost it together do not return together.
[[nodiscard]] std::chrono::milliseconds probe_interval(double random);

/// How long the probe of that number in a row, from 1, waits for a silent server. Each fourth waits
/// as long as a request does (`budget`), for a server that is slow to let anyone in.
[[nodiscard]] std::chrono::milliseconds probe_timeout(unsigned number,
                                                      std::chrono::milliseconds budget);

/// How long the pool stays as large as it is after so many refusals in a row, from 1: a second,
/// doubled each time up to half a minute, a half of it at random.
[[nodiscard]] std::chrono::milliseconds growth_backoff(unsigned refusals, double random);

/// How old a connection is to become: 80 to 100 % of `max`, so that those of one burst are not
/// replaced together.
[[nodiscard]] std::chrono::milliseconds lifetime(std::chrono::milliseconds max, double random);

/// A connection that nobody uses.
struct IdleConnection {
    Clock::time_point last_used;
    Clock::time_point expires_at;
};

/// What the pool knows as it decides whether to close one.
struct PoolState {
    std::size_t open;       ///< how many connections there are, this one included
    bool is_limited;        ///< the server gave no more when last asked
    bool has_been_waiting;  ///< a request has waited for a connection since the last maintenance
};

/// Whether the connection is more than is needed.
[[nodiscard]] bool is_surplus(const IdleConnection& connection, const PoolState& pool,
                              const PoolTimes& times, Clock::time_point now);

/// Whether another one should take the connection's place. Not in the middle of a burst; and not
/// where the server might give its only place to somebody else.
[[nodiscard]] bool should_be_replaced(const IdleConnection& connection, const PoolState& pool,
                                      Clock::time_point now);

}  // namespace kheops
