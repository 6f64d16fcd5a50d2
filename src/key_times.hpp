// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace kheops {

/// How a provider is asked for its keys. Not settings: these protect the provider from us, and the
/// administrator from a wrong guess.
struct KeyTimes {
    /// After a fetch, nobody causes the next one for this long.
    std::chrono::milliseconds cool_down;
    /// Keys that are well are not fetched again sooner than this, whatever the provider says of
    /// caching, and a provider that fails is not left alone for longer.
    std::chrono::milliseconds min_refresh;
    /// Nor later than this.
    std::chrono::milliseconds max_refresh;
    /// One fetch's time, the discovery document and the key set together.
    std::chrono::milliseconds fetch_timeout;
};

/// Those of the program. Defined beside main(), so that the tests can link the program with others.
extern const KeyTimes kKeyTimes;

}  // namespace kheops
