// SPDX-License-Identifier: MIT

// Downloads from providers that misbehave, over real sockets.

#include "provider/download.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <new>
#include <thread>
#include <tuple>

#include "log.hpp"
#include "provider/discovery.hpp"
#include "support/await.hpp"
#include "support/test_provider.hpp"

namespace {

/// This thread fails to allocate more octets at once.
thread_local std::size_t max_allocation = std::numeric_limits<std::size_t>::max();

}  // namespace

// Not inlined: g++ would report an inlined free() as the wrong counterpart of operator new.

[[gnu::noinline]] void* operator new(std::size_t size) {
    void* memory = size <= max_allocation ? std::malloc(size) : nullptr;
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
    std::free(memory);
}

namespace kheops::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The time limit of the program; a download that works takes less.
Deadline long_enough() {
    return Deadline(Clock::now() + seconds(10));
}

Provider provider_at(const std::string& url) {
    Provider provider;
    provider.url = url;
    return provider;
}

/// Why fetching the keys fails; empty if it does not.
std::string refusal_of(const Provider& provider, Deadline deadline = long_enough()) {
    try {
        static_cast<void>(fetch_keys(provider, deadline, {}));
        return "";
    } catch (const std::runtime_error& error) {  // DownloadError, KeySetError
        return error.what();
    }
}

std::string refusal_of(const TestProvider& provider, Deadline deadline = long_enough()) {
    return refusal_of(provider_at(provider.url()), deadline);
}

/// Sets an environment variable while the object exists.
class EnvironmentVariable {
  public:
    EnvironmentVariable(std::string name, const std::string& value) : name_(std::move(name)) {
        ::setenv(name_.c_str(), value.c_str(), 1);
    }
    ~EnvironmentVariable() { ::unsetenv(name_.c_str()); }
    EnvironmentVariable(const EnvironmentVariable&) = delete;
    EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

  private:
    std::string name_;
};

// --- URLs

TEST(Transport, DependsOnSchemeAndHost) {
    for (const char* url : {"https://p.example", "https://p.example:8443/realms/k?a=b",
                            "HTTPS://p.example/", "https://127.0.0.1", "https://p.example/a@b"}) {
        EXPECT_EQ(transport_of(url), Transport::tls) << url;
    }
    for (const char* url :
         {"http://localhost:8080/realms/k", "http://127.0.0.1", "http://127.9.8.7/",
          "http://[::1]:8080", "http://127.1", "http://[0:0:0:0:0:0:0:1]"}) {
        EXPECT_EQ(transport_of(url), Transport::loopback) << url;
    }
    for (const char* url : {"http://p.example", "http://10.0.0.1", "http://127.0.0.1.example",
                            "http://localhost.example", "http://128.0.0.1", "http://[::2]"}) {
        EXPECT_EQ(transport_of(url), Transport::plaintext) << url;
    }
}

TEST(Transport, IsNulloptForAnInvalidUrl) {
    for (const char* url :
         {"", "p.example", "//p.example", "/realms", "ftp://p.example", "file:///etc/passwd",
          "https://", "https:/p.example", "https:///p.example", "https:p.example",
          "https://p .example", "https://p.example:99999", "javascript:alert(1)"}) {
        EXPECT_EQ(transport_of(url), std::nullopt) << url;
    }
}

TEST(Transport, IsNulloptForAUrlWithAUser) {
    for (const char* url : {"https://u:p@p.example", "https://u@p.example", "https://:p@p.example",
                            "https://@p.example", "https://:@p.example", "http://:p@127.0.0.1",
                            "https://u%40h:p@p.example", "https://127.0.0.1@p.example"}) {
        EXPECT_EQ(transport_of(url), std::nullopt) << url;
    }
}

// --- A document that cannot be fetched or used

struct Fault {
    Behaviour behaviour;
    const char* reason;
    bool is_endless = false;  ///< only the deadline ends it
};

void PrintTo(const Fault& fault, std::ostream* stream) {
    *stream << fault.behaviour;
}

class ProviderFault : public testing::TestWithParam<std::tuple<Document, Fault>> {};

INSTANTIATE_TEST_SUITE_P(
    Of, ProviderFault,
    testing::Combine(
        testing::Values(Document::discovery, Document::keys),
        testing::Values(Fault{Behaviour::server_error, ": HTTP status 500"},
                        Fault{Behaviour::silent, ": no complete answer in time", true},
                        Fault{Behaviour::dripping, ": no complete answer in time", true},
                        Fault{Behaviour::truncated, ": Transferred a partial file"},
                        Fault{Behaviour::html_page, " is not JSON with "},
                        Fault{Behaviour::broken_json, " is not JSON with "},
                        Fault{Behaviour::other_json, " is not JSON with "},
                        Fault{Behaviour::empty, ""},
                        Fault{Behaviour::over_1_mib, ": an answer of more than 1 MiB"},
                        Fault{Behaviour::endless, ": an answer of more than 1 MiB"},
                        Fault{Behaviour::endless_headers, ": headers of more than 64 KiB"},
                        Fault{Behaviour::endless_interim, ": headers of more than 64 KiB"},
                        Fault{Behaviour::endless_trailers, ": headers of more than 64 KiB"},
                        Fault{Behaviour::redirect_other_host, ": a redirect to another host"},
                        Fault{Behaviour::redirect_loop, ": too many redirects"})),
    [](const auto& test) {
        return testing::PrintToString(std::get<Document>(test.param)) +
               testing::PrintToString(std::get<Fault>(test.param));
    });

TEST_P(ProviderFault, IsRefusedWithItsReason) {
    const auto [document, fault] = GetParam();
    TestProvider provider;
    provider.set_behaviour(document, fault.behaviour);
    const std::string reason = refusal_of(
        provider, fault.is_endless ? Deadline(Clock::now() + milliseconds(200)) : long_enough());
    const char* name = document == Document::keys ? "key set" : "discovery document";
    EXPECT_NE(reason.find(name + std::string(*fault.reason == ':' ? fault.reason : "")),
              std::string::npos)
        << reason;
    EXPECT_NE(reason.find(fault.reason), std::string::npos) << reason;
    EXPECT_EQ(provider.redirected_requests(), 0U);
}

TEST(ProviderDocument, IsAcceptedWith1MiBOrAfterARedirectOnItsHost) {
    for (const Behaviour behaviour : {Behaviour::good_of_1_mib, Behaviour::redirect_same_host}) {
        TestProvider provider;
        provider.set_behaviour(Document::discovery, behaviour);
        provider.set_behaviour(Document::keys, behaviour);
        EXPECT_EQ(refusal_of(provider), "") << behaviour;
    }
}

TEST(ProviderDocument, DownloadEndsWhenItIsStopped) {
    TestProvider provider;
    provider.set_behaviour(Document::keys, Behaviour::silent);
    std::stop_source stop;
    std::thread stopper([&] {
        await("the keys are asked for", [&] { return provider.count(Document::keys) > 0; });
        stop.request_stop();
    });
    try {
        static_cast<void>(fetch_keys(provider_at(provider.url()), long_enough(), stop.get_token()));
        ADD_FAILURE() << "a silent provider has answered";
    } catch (const DownloadError& error) {
        EXPECT_STREQ(error.what(), "key set: stopped");
    }
    stopper.join();
}

// --- The issuer

TEST(ProviderIssuer, TheReasonNamesTheOneSeenAndTheOneExpected) {
    TestProvider provider;
    provider.set_issuer("https://a.example");
    EXPECT_EQ(refusal_of(provider),
              "the discovery document names the issuer \"https://a.example\", expected \"" +
                  provider.url() + "\"");
    Provider configured = provider_at(provider.url());
    configured.issuer = "https://b.example";
    EXPECT_EQ(refusal_of(configured),
              "the discovery document names the issuer \"https://a.example\", expected "
              "\"https://b.example\"");
    provider.set_issuer(std::string(10'000, 'i'));
    EXPECT_EQ(refusal_of(configured), "the discovery document names the issuer \"" +
                                          std::string(99, 'i') +
                                          "\u2026\", expected \"https://b.example\"");
}

// --- Where a document is

TEST(ProviderRedirect, ToAnotherOriginIsNotFollowed) {
    TestProvider provider;
    TestProvider other;
    provider.set_behaviour(Document::keys, Behaviour::redirect_other_host);
    const std::string path = "/realms/kheops/certs";
    const std::string here = provider.url().substr(0, provider.url().find("/realms"));
    const std::string authority = here.substr(std::string("http://").size());
    for (const std::string& target :
         {other.url().substr(0, other.url().find("/realms")) + path, "https://" + authority + path,
          "http://user@" + authority + "/moved" + path,
          "http://:password@" + authority + "/moved" + path}) {
        provider.set_redirect_target(target);
        EXPECT_EQ(refusal_of(provider), "key set: a redirect to another host") << target;
    }
    EXPECT_EQ(other.connections(), 0U);
    provider.set_redirect_target(here + "/moved" + path);
    EXPECT_EQ(refusal_of(provider), "");
}

TEST(ProviderKeysUrl, MustBeHttpsWithoutAUser) {
    TestProvider provider;
    const auto refusal_of_keys_at = [&provider](const std::string& url) {
        provider.set_keys_url(url);
        return refusal_of(provider);
    };
    const std::string subject = "the discovery document's jwks_uri ";
    for (const char* url : {"http://keycloak.invalid/certs", "http://10.0.0.1/certs?a=b"}) {
        EXPECT_EQ(refusal_of_keys_at(url),
                  subject + log_quoted(url) + " is http to another machine, not https");
    }
    for (const char* url :
         {"https://u:p@keycloak.invalid/certs", "https://:p@keycloak.invalid/certs",
          "https://u@keycloak.invalid", "https://@keycloak.invalid", "http://u:p@10.0.0.1/certs"}) {
        EXPECT_EQ(refusal_of_keys_at(url), subject + "has a user or password") << url;
    }
    for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/certs", "/certs", "certs",
                            "https://", "https:///certs", "https://keycloak.invalid:99999/"}) {
        EXPECT_EQ(refusal_of_keys_at(url),
                  subject + log_quoted(url) + " is not an absolute https URL");
    }
    // Where the operator allows http, the download is tried.
    provider.set_keys_url("http://keycloak.invalid/certs");
    Provider allowed = provider_at(provider.url());
    allowed.allow_http = true;
    const std::string reason = refusal_of(allowed);
    EXPECT_EQ(reason.find("key set: "), 0U) << reason;
}

TEST(ProviderKeysUrl, MayHaveAQuery) {
    TestProvider provider;
    provider.set_keys_url(provider.url() + "/certs?client=kheops");
    EXPECT_EQ(refusal_of(provider), "");
}

TEST(ProviderProxy, IsNotUsedForThisMachine) {
    constexpr const char* kNowhere = "http://127.0.0.1:1";
    const EnvironmentVariable http("http_proxy", kNowhere);
    const EnvironmentVariable https("https_proxy", kNowhere);
    const EnvironmentVariable all("all_proxy", kNowhere);
    TestProvider provider;
    EXPECT_EQ(refusal_of(provider), "");
    provider.set_keys_url(provider.url() + "/certs?client=kheops");
    EXPECT_EQ(refusal_of(provider), "");
    TestProvider protected_provider(TestProvider::Scheme::https);
    const EnvironmentVariable trusted("SSL_CERT_FILE", protected_provider.authority_file());
    EXPECT_EQ(refusal_of(protected_provider), "");
}

TEST(ProviderProxy, IsUsedForAnotherMachine) {
    TestProvider proxy;  // it answers 404
    const EnvironmentVariable http("http_proxy", proxy.url());
    EXPECT_EQ(refusal_of(provider_at("http://keycloak.invalid/realms/kheops")),
              "discovery document: HTTP status 404");
}

// --- How long a document is fresh

std::optional<seconds> lifetime_with(const HttpHeaders& headers) {
    TestProvider provider;
    provider.set_headers(headers);
    return download(provider.url() + "/certs", long_enough(), {}).lifetime;
}

TEST(Lifetime, ComesFromTheHeadersOfTheAnswer) {
    EXPECT_EQ(lifetime_with({}), std::nullopt);
    EXPECT_EQ(lifetime_with({{"Cache-Control", "max-age=300"}}), seconds(300));
    EXPECT_EQ(lifetime_with({{"cache-control", "public"}, {"Cache-Control", "max-age=300"}}),
              seconds(300));
    EXPECT_EQ(lifetime_with({{"Cache-Control", "max-age=300"}, {"Cache-Control", "no-cache"}}),
              seconds(0));
    EXPECT_EQ(lifetime_with({{"Cache-Control", "max-age=300"}, {"Age", "100"}}), seconds(200));
    EXPECT_EQ(lifetime_with({{"Date", "Sun, 06 Nov 1994 08:00:00 GMT"},
                             {"Expires", "Sun, 06 Nov 1994 08:05:00 GMT"}}),
              seconds(300));
    // The two older forms of RFC 9110 section 5.6.7.
    EXPECT_EQ(lifetime_with({{"Date", "Sunday, 06-Nov-94 08:00:00 GMT"},
                             {"Expires", "Sun Nov  6 08:05:00 1994"}}),
              seconds(300));
    EXPECT_EQ(lifetime_with({{"Expires", "Sun, 06 Nov 1994 08:05:00 GMT"}}), seconds(0));
    EXPECT_GT(lifetime_with({{"Expires", "Fri, 01 Jan 2100 00:00:00 GMT"}}), seconds(300));
    EXPECT_EQ(lifetime_with({{"Expires", "0"}}), seconds(0));
    EXPECT_EQ(lifetime_with({{"Date", "some"}, {"Expires", "time"}}), seconds(0));
}

TEST(ClockLead, IsWhatTheDateOfTheAnswerSays) {
    TestProvider provider;
    const auto lead = [&provider](const HttpHeaders& headers) {
        provider.set_headers(headers);
        return download(provider.url() + "/certs", long_enough(), {}).clock_lead;
    };
    EXPECT_EQ(lead({}), std::nullopt);
    EXPECT_EQ(lead({{"Date", "some time"}}), std::nullopt);
    EXPECT_GT(lead({{"Date", "Sun, 06 Nov 1994 08:00:00 GMT"}}), std::chrono::hours(24 * 365));
    EXPECT_LT(lead({{"Date", "Fri, 01 Jan 2100 00:00:00 GMT"}}), seconds(0));
}

// --- Out of memory

size_t open_descriptors() {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST(OutOfMemory, ThrowsBadAllocAndLeavesNoDescriptorOpen) {
    TestProvider provider;
    provider.set_behaviour(Document::keys, Behaviour::good_of_1_mib);
    const std::string url = provider.url() + "/certs";
    const size_t at_first = open_descriptors();
    static_cast<void>(download(url, long_enough(), {}));
    const size_t before = open_descriptors();
    max_allocation = size_t{256} * 1024;
    EXPECT_THROW(static_cast<void>(download(url, long_enough(), {})), std::bad_alloc);
    max_allocation = std::numeric_limits<std::size_t>::max();
    // The provider keeps its end of each connection open.
    EXPECT_EQ(open_descriptors() - before, before - at_first);
}

}  // namespace
}  // namespace kheops::test
