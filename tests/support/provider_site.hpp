// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "support/test_provider.hpp"
#include "support/test_site.hpp"

namespace kheops::test {

// The worker's times in tests (tests/support/short_key_times.cpp).
inline constexpr auto kCoolDown = std::chrono::milliseconds(500);
inline constexpr auto kMinRefresh = std::chrono::milliseconds(1000);

/// A TestSite with the example data whose worker has the keys of a provider.
class ProviderSite : public TestSite {
  public:
    /// `provider` is its URL, `settings` are further ones of the worker. nginx lets any number of
    /// requests through.
    explicit ProviderSite(const std::string& provider, Settings settings = {});

    /// Asks for the example's list.
    [[nodiscard]] HttpAnswer list(const std::string& token);
    [[nodiscard]] int status(const std::string& token) { return list(token).status; }
    /// Asks until the status is that; throws when it never is.
    void await_status(const std::string& token, int status);

    /// How often the worker's log holds `text`.
    [[nodiscard]] size_t count_logged(const std::string& text);
};

/// The header Authorization with that token.
[[nodiscard]] HttpHeaders bearer(const std::string& token);

/// A token for alice, as `provider` writes them, of a key that it does not know.
[[nodiscard]] std::string token_of_unknown_key(const TestProvider& provider,
                                               const std::string& kid = "unknown");

}  // namespace kheops::test
