// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "support/test_provider.hpp"
#include "support/test_site.hpp"

namespace kheops::test {

// Two of the times in tests/support/short_key_times.cpp.
inline constexpr auto kCoolDown = std::chrono::milliseconds(500);
inline constexpr auto kMinRefresh = std::chrono::milliseconds(1000);

/// A TestSite with the example data whose worker gets its keys from a provider.
class ProviderSite : public TestSite {
  public:
    /// `provider` is its URL, `settings` are more settings of the worker. nginx does not limit the
    /// rate of requests.
    explicit ProviderSite(const std::string& provider, Settings settings = {});

    /// Requests the webhooks of the example album.
    [[nodiscard]] HttpAnswer list(const std::string& token);
    [[nodiscard]] int status(const std::string& token) { return list(token).status; }
    /// Repeats list() until its status is `status`; throws after 60 s.
    void await_status(const std::string& token, int status);

    /// How often `text` occurs in the worker's log.
    [[nodiscard]] size_t count_logged(const std::string& text);
};

/// An Authorization header with this token.
[[nodiscard]] HttpHeaders bearer(const std::string& token);

/// A token for alice with the provider's issuer, signed by a key that the provider does not have.
[[nodiscard]] std::string token_of_unknown_key(const TestProvider& provider,
                                               const std::string& kid = "unknown");

}  // namespace kheops::test
