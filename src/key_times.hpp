// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace kheops {

/// When the program asks a provider for its keys. These are not settings: they protect the provider
/// from this program, and the administrator from a wrong guess.
struct KeyTimes {
    /// The minimum time from a fetch to the next one that a request causes. SIGHUP ignores it.
    std::chrono::milliseconds cool_down;
    /// The minimum time from a successful fetch to the next scheduled one, whatever the provider's
    /// caching headers say, and the maximum backoff after failed ones.
    std::chrono::milliseconds min_refresh;
    /// The maximum time from a successful fetch to the next one.
    std::chrono::milliseconds max_refresh;
    /// The timeout of one fetch: discovery document and key set together.
    std::chrono::milliseconds fetch_timeout;
};

/// The program's values. Their file defines nothing else, so that tests can link other values.
extern const KeyTimes kKeyTimes;

}  // namespace kheops
