// SPDX-License-Identifier: MIT
#include "database/pool_policy.hpp"

#include <algorithm>

namespace kheops {

using std::chrono::milliseconds;

milliseconds probe_interval(double random) {
    constexpr milliseconds kMin(200);
    constexpr milliseconds kMax(600);
    return kMin + std::chrono::floor<milliseconds>(random * (kMax - kMin));
}

milliseconds probe_timeout(unsigned number, milliseconds budget) {
    // TCP resends lost packets at growing intervals. A new probe starts with short intervals again
    // and so notices sooner that the server is back.
    constexpr milliseconds kShortTimeout(1500);
    constexpr unsigned kFullBudgetProbe = 4;
    return number % kFullBudgetProbe == 0 ? std::max(budget, kShortTimeout) : kShortTimeout;
}

milliseconds growth_backoff(unsigned refusals, double random) {
    constexpr milliseconds kMin(1000);
    constexpr milliseconds kMax(30000);
    constexpr unsigned kMaxDoublings = 5;
    const milliseconds pause = std::min(kMax, kMin * (1U << std::min(refusals - 1, kMaxDoublings)));
    return pause / 2 + std::chrono::floor<milliseconds>(random * (pause / 2));
}

milliseconds lifetime(milliseconds max, double random) {
    constexpr int kSpread = 5;
    return max - std::chrono::floor<milliseconds>(random * (max / kSpread));
}

bool is_surplus(const ConnectionTimes& connection, const PoolState& pool, const PoolTimes& times,
                Clock::time_point now) {
    return pool.open > 1 && now - connection.last_used >= times.max_idle;
}

bool should_be_replaced(const ConnectionTimes& connection, const PoolState& pool,
                        Clock::time_point now) {
    return now >= connection.expires_at && !pool.had_waiters &&
           !(pool.is_limited && pool.open == 1);
}

}  // namespace kheops
