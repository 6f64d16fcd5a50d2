// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "key_times.hpp"

/// When to fetch a provider's keys again. Pure functions: time and random value are arguments.
namespace kheops {

/// The headers of an answer that control caching.
struct CachingHeaders {
    std::string cache_control = {};  ///< all lines, joined by commas; empty: no header
    std::string age = {};            ///< empty: no header
    /// 1970 if the date cannot be parsed: it counts as past (RFC 9111 section 5.3).
    std::optional<std::chrono::sys_seconds> expires = {};
    std::optional<std::chrono::sys_seconds> date = {};  ///< null also if it cannot be parsed
};

/// Returns for how long an answer that arrived at `now` may be cached (RFC 9111 section 4.2). 0:
/// caching is forbidden. Null: the headers do not say.
[[nodiscard]] std::optional<std::chrono::seconds> freshness_lifetime(const CachingHeaders& headers,
                                                                     std::chrono::sys_seconds now);

/// Returns by how much this machine's clock, which says `now`, is ahead of the server's, to the
/// second. The time that the answer spent in a cache (`Age`) does not count. Null if the headers
/// have no date.
[[nodiscard]] std::optional<std::chrono::seconds> clock_lead(const CachingHeaders& headers,
                                                             std::chrono::sys_seconds now);

/// Returns the time from a successful fetch to the next one: `lifetime` of the keys, limited by
/// `times` and by half of `max_age`, so that a failed fetch can be repeated before the keys expire.
/// `random`, from 0 to 1, shortens it by up to a tenth, so that workers that start together do not
/// always fetch together.
[[nodiscard]] std::chrono::milliseconds refresh_interval(
    const KeyTimes& times, std::chrono::seconds max_age,
    std::optional<std::chrono::seconds> lifetime, double random);

/// Returns the time from a failed fetch to the next one: the cool-down, doubled with each failure,
/// up to `min_refresh`. `failures` is the number of failures in a row, at least 1. `random`, from 0
/// to 1, extends it by up to a quarter.
[[nodiscard]] std::chrono::milliseconds retry_backoff(const KeyTimes& times, unsigned failures,
                                                      double random);

}  // namespace kheops
