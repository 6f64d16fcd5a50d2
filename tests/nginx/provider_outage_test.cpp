// SPDX-License-Identifier: MIT

// The OpenID Connect provider is down or gives faulty answers.

#include <gtest/gtest.h>

#include <csignal>
#include <optional>
#include <tuple>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/provider_site.hpp"

namespace kheops::test {
namespace {

constexpr const char* kLost = "event=keys_lost level=error reason=";
constexpr const char* kFetched = "event=keys ";

void expect_unavailable(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.header("Retry-After"), "");
    EXPECT_EQ(answer.header("WWW-Authenticate"), "");
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    // Clients must not learn the provider's address.
    EXPECT_EQ(answer.body.find("127.0.0.1"), std::string::npos) << answer.body;
}

/// Returns when the worker has begun another fetch. A request with a key that the worker does not
/// have is answered after that fetch.
void await_next_fetch(const TestProvider& provider) {
    const size_t before = provider.connections();
    await("the provider is asked again", [&] { return provider.connections() > before; });
}

/// A document, and how the provider delivers it.
using Delivery = std::tuple<Document, Behaviour>;

std::string name_of(const testing::TestParamInfo<Delivery>& test) {
    return testing::PrintToString(std::get<Document>(test.param)) +
           testing::PrintToString(std::get<Behaviour>(test.param));
}

/// The provider delivers one of its documents with a fault.
class ProviderFault : public testing::TestWithParam<Delivery> {
  protected:
    void start_fault() { provider_.set_behaviour(document_, behaviour_); }
    void end_fault() { provider_.set_behaviour(document_, Behaviour::good); }

    const Document document_ = std::get<Document>(GetParam());
    const Behaviour behaviour_ = std::get<Behaviour>(GetParam());
    TestProvider provider_;
};

// One fault of each kind; tests/unit/download_test.cpp has all of them.
INSTANTIATE_TEST_SUITE_P(Of, ProviderFault,
                         testing::Values(Delivery{Document::discovery, Behaviour::server_error},
                                         Delivery{Document::keys, Behaviour::silent},
                                         Delivery{Document::keys, Behaviour::broken_json},
                                         Delivery{Document::keys, Behaviour::redirect_other_host}),
                         name_of);

TEST_P(ProviderFault, AtTheStartGives503UntilItEnds) {
    start_fault();
    ProviderSite site(provider_.url());
    site.worker().await_log(kLost);
    await_next_fetch(provider_);
    expect_unavailable(site.list(provider_.token("alice")));
    expect_unavailable(site.list(token_of_unknown_key(provider_)));
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();
    EXPECT_EQ(site.count_logged(kFetched), 0U) << site.worker().log();

    end_fault();
    site.await_status(provider_.token("alice"), 200);
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();
    EXPECT_EQ(site.count_logged(kFetched), 1U) << site.worker().log();
    EXPECT_EQ(provider_.redirected_requests(), 0U);
}

TEST_P(ProviderFault, LeavesTheLastGoodKeysInUseUntilItEnds) {
    const std::string known = provider_.token("alice");
    ProviderSite site(provider_.url());
    site.await_status(known, 200);
    start_fault();
    site.worker().signal(SIGHUP);  // the keys and, where they are kept longer, the configuration
    site.worker().await_log(kLost);
    await_next_fetch(provider_);
    EXPECT_EQ(site.status(known), 200);
    expect_unavailable(site.list(token_of_unknown_key(provider_)));
    EXPECT_EQ(site.status(known), 200);
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();

    end_fault();
    provider_.add_key();
    site.await_status(provider_.token("alice"), 200);
    EXPECT_EQ(site.status(known), 200);
    site.await_status(token_of_unknown_key(provider_), 401);
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();

    start_fault();
    site.worker().signal(SIGHUP);
    await("the second loss is logged", [&] { return site.count_logged(kLost) == 2; });
    EXPECT_EQ(provider_.redirected_requests(), 0U);
}

TEST(ProviderOutage, ProviderThatIsDownAtTheStartIsUsedWhenItStarts) {
    TestProvider provider;
    provider.stop();
    ProviderSite site(provider.url());
    site.worker().await_log(kLost);
    expect_unavailable(site.list(provider.token("alice")));
    site.worker().await_log(" reason=\"the token's key is not known, and the keys could not be ");
    expect_unavailable(site.list(provider.token("alice")));
    provider.start();
    site.await_status(provider.token("alice"), 200);
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();
    EXPECT_EQ(site.count_logged(kFetched), 1U) << site.worker().log();
}

TEST(ProviderOutage, RequestsWithoutATokenAreAnsweredAsUsual) {
    TestProvider provider;
    provider.stop();
    ProviderSite site(provider.url());
    EXPECT_EQ(site.fetch("GET", "/albums/DemoAlbum1/webhooks").status, 401);
    EXPECT_EQ(site.fetch("OPTIONS", "/albums/DemoAlbum1/webhooks").status, 204);
    EXPECT_EQ(site.fetch("GET", "/elsewhere").status, 404);
}

TEST(ProviderOutage, NewKeysOfARestartedProviderAreUsed) {
    TestProvider provider;
    ProviderSite site(provider.url());
    const std::string known = provider.token("alice");
    site.await_status(known, 200);
    provider.stop();
    site.worker().signal(SIGHUP);
    site.worker().await_log(kLost);
    EXPECT_EQ(site.status(known), 200);
    provider.rotate();
    expect_unavailable(site.list(provider.token("alice")));
    provider.start();
    site.await_status(provider.token("alice"), 200);
    EXPECT_EQ(site.status(known), 401);
}

TEST(ProviderOutage, KeysThatAreTooOldGive503) {
    TestProvider provider;
    const TemporaryDirectory directory;
    ProviderSite site(provider.url(), {{"KHEOPS_WEBHOOKS_KEYS_MAX_AGE", "2"},
                                       {"KHEOPS_WEBHOOKS_KEYS_CACHE", directory.file("keys")}});
    const std::string token = provider.token("alice");
    site.await_status(token, 200);
    provider.stop();
    std::optional<HttpAnswer> answer;
    await("the keys are too old", [&] {
        answer = site.list(token);
        return answer->status != 200;
    });
    expect_unavailable(*answer);

    // The cache file keeps their age.
    site.worker().restart();
    expect_unavailable(site.list(token));

    provider.start();
    site.await_status(token, 200);
}

TEST(ProviderOutage, WorkerStopsAtOnceWhileTheProviderIsSilent) {
    TestProvider provider;
    provider.set_behaviour(Document::keys, Behaviour::silent);
    ProviderSite site(provider.url());
    await("the keys are asked for", [&] { return provider.count(Document::keys) > 0; });
    site.worker().signal(SIGTERM);
    EXPECT_EQ(site.worker().exit_status(), 0) << site.worker().log();
}

// The issuer in the provider's configuration.

TEST(ProviderIssuer, MayEndWithASlash) {
    TestProvider provider;
    provider.set_issuer(provider.url() + "/");
    ProviderSite site(provider.url());
    site.await_status(provider.token("alice"), 200);
    // A token's issuer must be exactly the same.
    provider.set_issuer(provider.url());
    EXPECT_EQ(site.status(provider.token("alice")), 401);
}

TEST(ProviderIssuer, MayBeConfiguredWithASlash) {
    TestProvider provider;
    ProviderSite site(provider.url(), {{"KHEOPS_OIDC_PROVIDER", provider.url() + "/"}});
    site.await_status(provider.token("alice"), 200);
}

TEST(ProviderIssuer, OtherThanTheUrlIsRefused) {
    TestProvider provider;
    provider.set_issuer("https://keycloak.example/realms/kheops");
    ProviderSite site(provider.url());
    site.worker().await_log(
        std::string(kLost) +
        R"("the discovery document names the issuer \"https://keycloak.example/realms/kheops\", )" +
        R"(expected \")" + provider.url() + R"(\"" provider=)");
    expect_unavailable(site.list(provider.token("alice")));
}

TEST(ProviderIssuer, OtherThanTheUrlIsAcceptedWhereItIsConfigured) {
    TestProvider provider;
    provider.set_issuer("https://keycloak.example/realms/kheops");
    ProviderSite site(provider.url(),
                      {{"KHEOPS_WEBHOOKS_ISSUER", "https://keycloak.example/realms/kheops"}});
    site.await_status(provider.token("alice"), 200);
}

TEST(ProviderUrl, IsReadFromTheVariableOfKheopsFirst) {
    TestProvider provider;
    ProviderSite site(provider.url(), {{"KHEOPS_OIDC_PROVIDER", "http://127.0.0.1:1/realms/nobody"},
                                       {"KHEOPS_AUTH_OIDC_PROVIDER", provider.url()}});
    site.await_status(provider.token("alice"), 200);
}

TEST(ProviderKeysUrl, MayHaveAQuery) {
    TestProvider provider;
    provider.set_keys_url(provider.url() + "/certs?client=kheops");
    ProviderSite site(provider.url());
    site.await_status(provider.token("alice"), 200);
}

TEST(ProviderKeysUrl, ThatNamesAFileIsRefused) {
    TestProvider provider;
    const TemporaryDirectory directory;
    const SigningKey key = SigningKey::ec("P-256");
    write_file(directory.file("keys.json"), jwk_set({key.jwk(R"("kid":"filed")")}));
    provider.set_keys_url("file://" + directory.file("keys.json"));
    ProviderSite site(provider.url());
    site.worker().await_log(kLost);
    expect_unavailable(site.list(mint_token("alice", provider.url(), key, "filed")));
}

// TLS.

TEST(ProviderOverTls, IsUsedWhereItsAuthorityIsTrusted) {
    TestProvider provider(TestProvider::Scheme::https);
    ProviderSite site(provider.url(), {{"SSL_CERT_FILE", provider.authority_file()}});
    site.await_status(provider.token("alice"), 200);
    provider.rotate();
    site.await_status(provider.token("alice"), 200);
}

TEST(ProviderOverTls, IsRefusedWhereItsAuthorityIsNot) {
    TestProvider provider(TestProvider::Scheme::https);
    ProviderSite site(provider.url());
    site.worker().await_log(kLost);
    await_next_fetch(provider);
    expect_unavailable(site.list(provider.token("alice")));
    EXPECT_EQ(provider.count(Document::discovery), 0U);
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();
}

TEST(ProviderOverTls, IsRefusedWithTheCertificateOfAnotherHost) {
    TestProvider provider(TestProvider::Scheme::https);
    provider.use_certificate(Certificate::wrong_host);
    ProviderSite site(provider.url(), {{"SSL_CERT_FILE", provider.authority_file()}});
    site.worker().await_log(kLost);
    expect_unavailable(site.list(provider.token("alice")));
    EXPECT_EQ(provider.count(Document::discovery), 0U);
}

TEST(ProviderOverTls, KnownKeysStayInUseWhileItsCertificateIsExpired) {
    TestProvider provider(TestProvider::Scheme::https);
    ProviderSite site(provider.url(), {{"SSL_CERT_FILE", provider.authority_file()}});
    const std::string known = provider.token("alice");
    site.await_status(known, 200);
    provider.use_certificate(Certificate::expired);
    site.worker().signal(SIGHUP);
    site.worker().await_log(kLost);
    await_next_fetch(provider);
    EXPECT_EQ(site.status(known), 200);
    provider.add_key();
    expect_unavailable(site.list(provider.token("alice")));
    EXPECT_EQ(site.count_logged(kLost), 1U) << site.worker().log();
    provider.use_certificate(Certificate::valid);
    site.await_status(provider.token("alice"), 200);
}

// Plain HTTP to another machine, whose name cannot be resolved.

TEST(ProviderOverHttp, IsRefusedAtTheStart) {
    TestWorker worker(Settings{{"KHEOPS_OIDC_PROVIDER", "http://keycloak.invalid/realms/kheops"}});
    EXPECT_EQ(worker.exit_status(), 2);
    EXPECT_NE(worker.log().find("KHEOPS_OIDC_PROVIDER"), std::string::npos) << worker.log();
    EXPECT_NE(worker.log().find("KHEOPS_WEBHOOKS_PROVIDER_HTTP"), std::string::npos)
        << worker.log();
}

TEST(ProviderOverHttp, IsAllowedWithAWarning) {
    TestWorker worker({{"KHEOPS_OIDC_PROVIDER", "http://keycloak.invalid/realms/kheops"},
                       {"KHEOPS_WEBHOOKS_PROVIDER_HTTP", "allow"}});
    worker.await_log("event=provider_over_http level=warning");
    worker.await_log(kLost);
    EXPECT_TRUE(worker.is_running());
}

TEST(ProviderOverHttp, ToThisMachineLogsNoWarning) {
    TestProvider provider;
    ProviderSite site(provider.url());
    site.await_status(provider.token("alice"), 200);
    EXPECT_EQ(site.count_logged("provider_over_http"), 0U);
}

}  // namespace
}  // namespace kheops::test
