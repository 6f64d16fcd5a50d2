// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "deadline.hpp"
#include "token/jwk_set.hpp"

namespace kheops {

/// The keys of an issuer, and the name of that issuer.
struct TrustedKeys {
    KeySet keys;
    std::string issuer;  ///< required `iss` of tokens that these keys verify
};

/// No keys are available to verify a token, or newer ones may exist but could not be fetched.
class KeysUnavailable : public std::runtime_error {
  public:
    explicit KeysUnavailable(std::chrono::seconds retry_after)
        : std::runtime_error("no keys"), retry_after_(retry_after) {}

    /// After how many seconds the client may try again; at least 1.
    [[nodiscard]] std::chrono::seconds retry_after() const { return retry_after_; }

  private:
    std::chrono::seconds retry_after_;
};

/// The state of a source of keys, for the operator (contract section 11).
struct KeyStatus {
    std::size_t usable = 0;  ///< how many keys can verify tokens now
    /// The time since the provider sent the last keys, whether they are still usable or not. Empty:
    /// it has sent none, or the keys are those of a file.
    std::optional<Clock::duration> age = {};
    std::uint64_t downloads = 0;         ///< that have ended since the start, failed ones included
    std::uint64_t failed_downloads = 0;  ///< of `downloads`
};

/// A source of keys: a file (FileKeys) or an OpenID Connect provider (ProviderKeys). Safe to use
/// from several threads.
class KeySource {
  public:
    using Keys = std::shared_ptr<const TrustedKeys>;

    KeySource() = default;
    KeySource(const KeySource&) = delete;
    KeySource& operator=(const KeySource&) = delete;
    virtual ~KeySource() = default;

    /// Returns the keys to verify tokens with. Null while there are none. Does not wait.
    [[nodiscard]] virtual Keys current() const = 0;

    /// Called for a token whose key is missing in `known`, a result of current() or newer_than().
    /// Returns newer keys, or `known` if there are none. May wait until `deadline`. Throws
    /// KeysUnavailable if it cannot find out whether there are newer keys.
    [[nodiscard]] virtual Keys newer_than(const Keys& known, Deadline deadline) = 0;

    /// Called at SIGHUP, when the administrator has changed the keys. Returns at once; the thread
    /// of start_refreshing() reads or fetches the keys.
    virtual void reload() = 0;

    /// Returns the present state. Does not wait, and asks no provider.
    [[nodiscard]] virtual KeyStatus status() const = 0;

    /// Starts a thread that keeps the keys up to date until this object is destroyed. A worker
    /// calls it once, after signals are blocked and before other threads use this object.
    virtual void start_refreshing() {}
};

}  // namespace kheops
