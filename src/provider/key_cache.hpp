// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

namespace kheops {

/// A provider's keys as the cache file keeps them, for a restart while the provider is down.
struct CachedKeys {
    std::string provider;  ///< URL of the provider in the settings
    std::string issuer;    ///< required `iss` of tokens
    std::string jwk_set;
    /// In whole seconds, because a time in the file could overflow a finer unit.
    std::chrono::sys_seconds fetched;
};

/// A cache file cannot be used or written. what() is the reason, for the log.
class CacheError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Reads a cache file. Null if it does not exist. Throws CacheError if the file cannot be read, was
/// not written by write_key_cache(), or is writable by other users.
[[nodiscard]] std::optional<CachedKeys> read_key_cache(const std::string& path);

/// Returns how long ago the keys were fetched. A time up to one minute in the future counts as now,
/// because the clock may have been set back. Throws CacheError if the time is later than that, or
/// if the age is `max_age` or more.
[[nodiscard]] std::chrono::seconds age_of(const CachedKeys& keys, std::chrono::seconds max_age,
                                          std::chrono::sys_seconds now);

/// Writes the cache file, readable and writable by its owner only, and replaces an existing one
/// atomically. Blocks as long as the disk needs. Throws CacheError.
void write_key_cache(const std::string& path, const CachedKeys& keys);

}  // namespace kheops
