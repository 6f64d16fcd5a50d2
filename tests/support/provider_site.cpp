// SPDX-License-Identifier: MIT
#include "support/provider_site.hpp"

#include <stdexcept>

#include "support/await.hpp"
#include "support/test_keys.hpp"

namespace kheops::test {

namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

Settings with_provider(Settings settings, const std::string& provider) {
    settings.emplace("KHEOPS_OIDC_PROVIDER", provider);
    return settings;
}

}  // namespace

ProviderSite::ProviderSite(const std::string& provider, Settings settings)
    : TestSite(
          {"sql/schema.sql", "sql/example-data.sql"}, with_provider(std::move(settings), provider),
          {{"limit_req zone=kheops_webhooks burst=500 nodelay;", ""}}, WorkerBuild::short_times) {}

HttpAnswer ProviderSite::list(const std::string& token) {
    return fetch("GET", kList, bearer(token));
}

void ProviderSite::await_status(const std::string& token, int wanted) {
    int got = 0;
    try {
        await("a status", [&] {
            got = status(token);
            return got == wanted;
        });
    } catch (const std::runtime_error&) {
        throw std::runtime_error("timed out waiting for status " + std::to_string(wanted) +
                                 ", got " + std::to_string(got) + "; the worker's log:\n" +
                                 worker().log());
    }
}

size_t ProviderSite::count_logged(const std::string& text) {
    const std::string log = worker().log();
    size_t found = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
        ++found;
    }
    return found;
}

HttpHeaders bearer(const std::string& token) {
    return {{"Authorization", "Bearer " + token}};
}

std::string token_of_unknown_key(const TestProvider& provider, const std::string& kid) {
    static const SigningKey key = SigningKey::ec("P-256");
    return mint_token("alice", provider.url(), key, kid);
}

}  // namespace kheops::test
