// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

namespace kheops {

/// What is kept of a provider's keys for a restart while the provider is down.
struct CachedKeys {
    std::string provider;  ///< the URL that was configured
    std::string issuer;    ///< what tokens must name
    std::string jwk_set;
    /// In whole seconds, so that no time that a file can name overflows.
    std::chrono::sys_seconds fetched;
};

/// A cache file cannot be used or written. what() says why, for the log.
class CacheError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Reads a cache file; nothing where there is none. Throws CacheError when it cannot be read, is
/// not what write_key_cache writes, or others could have written it.
[[nodiscard]] std::optional<CachedKeys> read_key_cache(const std::string& path);

/// How long ago keys were fetched; 0 for a time up to a minute from now, as a clock may have been
/// set back a little. Throws CacheError for a later time, and for an age of `max_age` or more.
[[nodiscard]] std::chrono::seconds age_of(const CachedKeys& keys, std::chrono::seconds max_age,
                                          std::chrono::sys_seconds now);

/// Puts a cache file in place of the one that is there, whole or not at all, for its owner only.
/// Takes as long as the disk does. Throws CacheError.
void write_key_cache(const std::string& path, const CachedKeys& keys);

}  // namespace kheops
