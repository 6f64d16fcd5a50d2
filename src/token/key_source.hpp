// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "deadline.hpp"
#include "token/jwk_set.hpp"

namespace kheops {

/// Keys, and in whose name they sign.
struct TrustedKeys {
    KeySet keys;
    std::string issuer;  ///< what a token's `iss` must equal
};

/// There are no keys by which a token could be judged, or not yet the newest.
class KeysUnavailable : public std::runtime_error {
  public:
    explicit KeysUnavailable(std::chrono::seconds retry_after)
        : std::runtime_error("no keys"), retry_after_(retry_after) {}

    /// When to ask again; at least a second.
    [[nodiscard]] std::chrono::seconds retry_after() const { return retry_after_; }

  private:
    std::chrono::seconds retry_after_;
};

/// Where keys come from: a file (FileKeys) or an OpenID Connect provider (ProviderKeys). All
/// functions are safe to call from several threads.
class KeySource {
  public:
    using Keys = std::shared_ptr<const TrustedKeys>;

    KeySource() = default;
    KeySource(const KeySource&) = delete;
    KeySource& operator=(const KeySource&) = delete;
    virtual ~KeySource() = default;

    /// The keys to judge by now; null while there are none. Does not wait.
    [[nodiscard]] virtual Keys current() const = 0;

    /// For a token whose key is not among `known`, which is what current() or newer_than()
    /// returned: newer keys where there are any, else `known`. May wait, until `deadline` at the
    /// latest. Throws KeysUnavailable when whether there are newer ones could not be found out.
    [[nodiscard]] virtual Keys newer_than(const Keys& known, Deadline deadline) = 0;

    /// The administrator says that the keys have changed (SIGHUP). Returns at once: what there is
    /// to read or to fetch, the thread of start_refreshing() does.
    virtual void reload() = 0;

    /// Starts a thread that keeps the keys fresh and ends with this object. Called once, by a
    /// program that stays, before other threads use this and after signals are blocked.
    virtual void start_refreshing() {}
};

}  // namespace kheops
