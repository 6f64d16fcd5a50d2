// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "key_times.hpp"

/// When a provider is asked again. Pure functions: the time and the random value are arguments.
namespace kheops {

/// What the headers of an answer say of keeping it.
struct CachingHeaders {
    std::string cache_control = {};  ///< its lines, joined by commas; empty: none
    std::string age = {};            ///< empty: none
    /// 1970 for a date that cannot be read: it has passed (RFC 9111 section 5.3).
    std::optional<std::chrono::sys_seconds> expires = {};
    std::optional<std::chrono::sys_seconds> date =
        {};  ///< nothing also for one that cannot be read
};

/// For how long from `now` on an answer that has just come may be kept (RFC 9111 section 4.2), 0
/// where that is forbidden; nothing where the headers do not say.
[[nodiscard]] std::optional<std::chrono::seconds> freshness_lifetime(const CachingHeaders& headers,
                                                                     std::chrono::sys_seconds now);

/// How long after a fetch that gave keys the next one begins: their `lifetime`, within the
/// bounds of `times`, and after at most half of `max_age`, so that a missed one can be repeated.
/// `random`, from 0 to 1, shortens it by up to a tenth, so that many workers that start together do
/// not ask together for ever.
[[nodiscard]] std::chrono::milliseconds refresh_interval(
    const KeyTimes& times, std::chrono::seconds max_age,
    std::optional<std::chrono::seconds> lifetime, double random);

/// How long after the last of `failures` failed fetches in a row, at least 1, the next one
/// begins: the cool-down, doubled with each, up to the shortest refresh. `random`, from 0 to 1,
/// makes it longer by up to a quarter.
[[nodiscard]] std::chrono::milliseconds retry_backoff(const KeyTimes& times, unsigned failures,
                                                      double random);

}  // namespace kheops
