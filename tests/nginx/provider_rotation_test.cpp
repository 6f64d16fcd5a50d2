// SPDX-License-Identifier: MIT

// An OpenID Connect provider adds, replaces and removes keys, and tokens name keys that it does not
// have.

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/provider_site.hpp"

namespace kheops::test {
namespace {

using std::chrono::steady_clock;

class ProviderRotation : public testing::Test {
  protected:
    /// Returns when a token of an unknown key would cause a download.
    void await_end_of_cool_down() {
        await("the cool-down has ended", [this] {
            return provider_.count(Document::keys) > 0 &&
                   steady_clock::now() - provider_.downloads(Document::keys).back() > 2 * kCoolDown;
        });
    }

    /// Returns when the worker has requested the set once more.
    void await_download() {
        const size_t before = provider_.count(Document::keys);
        await("the keys are requested again",
              [&] { return provider_.count(Document::keys) > before; });
    }

    /// How many downloads the worker may make in that time: the first, one for each cool-down, and
    /// one refresh.
    static size_t allowed_downloads(steady_clock::duration time) {
        return 2 + static_cast<size_t>(time / kCoolDown);
    }

    TestProvider provider_;
    ProviderSite site_{provider_.url(), {{"KHEOPS_WEBHOOKS_THREADS", "16"}}};
};

TEST_F(ProviderRotation, OneDownloadServesAllRequests) {
    const auto begin = steady_clock::now();
    site_.await_status(provider_.token("alice"), 200);
    for (int i = 0; i < 50; ++i) {
        ASSERT_EQ(site_.status(provider_.token("alice")), 200) << site_.worker().log();
    }
    // And one refresh for each kMinRefresh, if this took long.
    const auto max = 1 + static_cast<size_t>((steady_clock::now() - begin) / kMinRefresh);
    EXPECT_LE(provider_.count(Document::discovery), max);
    EXPECT_LE(provider_.count(Document::keys), max);
    EXPECT_EQ(site_.count_logged("event=keys "), 1U) << site_.worker().log();
    EXPECT_EQ(site_.count_logged("keys_lost"), 0U) << site_.worker().log();
}

TEST_F(ProviderRotation, TheFirstTokenOfANewKeyIsAccepted) {
    site_.await_status(provider_.token("alice"), 200);
    await_end_of_cool_down();
    provider_.add_key();
    EXPECT_EQ(site_.status(provider_.token("alice")), 200) << site_.worker().log();
}

TEST_F(ProviderRotation, OldAndNewKeysAreBothAccepted) {
    const std::string old_token = provider_.token("alice");
    provider_.add_key();
    site_.await_status(provider_.token("alice"), 200);
    EXPECT_EQ(site_.status(old_token), 200);
}

TEST_F(ProviderRotation, AfterTwoQuickRotationsOnlyTheLastKeyIsAccepted) {
    const std::string first = provider_.token("alice");
    site_.await_status(first, 200);
    for (int i = 0; i < 5; ++i) {
        provider_.rotate();
        const std::string passed_over = provider_.token("alice");
        provider_.rotate();
        site_.await_status(provider_.token("alice"), 200);
        EXPECT_EQ(site_.status(provider_.token("alice")), 200);
        EXPECT_EQ(site_.status(passed_over), 401);
        EXPECT_EQ(site_.status(first), 401);
    }
}

TEST_F(ProviderRotation, RemovedKeyIsRejectedAfterTheNextDownload) {
    const std::string old_token = provider_.token("alice");
    site_.await_status(old_token, 200);
    provider_.add_key();
    site_.await_status(provider_.token("alice"), 200);
    EXPECT_EQ(site_.status(old_token), 200);

    provider_.remove_old_keys();
    site_.await_status(old_token, 401);
    EXPECT_EQ(site_.status(provider_.token("alice")), 200);
    EXPECT_EQ(site_.status(old_token), 401);
}

TEST_F(ProviderRotation, NewKeyWithTheSameKidReplacesTheOld) {
    const std::string old_token = provider_.token("alice");
    site_.await_status(old_token, 200);
    provider_.replace_key();
    site_.await_status(provider_.token("alice"), 200);
    EXPECT_EQ(site_.status(old_token), 401);
}

TEST_F(ProviderRotation, SymmetricKeysOfAProviderAreSkipped) {
    site_.await_status(provider_.token("alice"), 200);
    const SigningKey secret = SigningKey::hmac("a secret that anybody can read at the provider");
    provider_.publish(secret.jwk(R"("kid":"secret","alg":"HS256")"));
    site_.worker().signal(SIGHUP);
    await_download();
    site_.await_status(provider_.token("alice"), 200);
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    const std::string claims = R"({"iss":")" + provider_.url() + R"(","sub":"alice","exp":)" +
                               std::to_string(now + 60) + "}";
    const std::string forged = sign_jws_with(secret, "HS256", claims, R"("kid":"secret")");
    EXPECT_EQ(site_.status(forged), 401);
    EXPECT_EQ(site_.status(sign_jws_with(secret, "HS256", claims)), 401);
}

TEST_F(ProviderRotation, UnknownKeyCausesADownloadAndGets401) {
    site_.await_status(provider_.token("alice"), 200);
    await_end_of_cool_down();
    const size_t before = provider_.count(Document::keys);
    const HttpAnswer answer = site_.list(token_of_unknown_key(provider_));
    EXPECT_EQ(answer.status, 401);
    EXPECT_NE(answer.header("WWW-Authenticate").find("invalid_token"), std::string::npos);
    EXPECT_GT(provider_.count(Document::keys), before);
    // In the cool-down after a successful download, 401 comes at once.
    EXPECT_EQ(site_.status(token_of_unknown_key(provider_, "another")), 401);
    EXPECT_EQ(site_.count_logged("keys_lost"), 0U) << site_.worker().log();
}

TEST_F(ProviderRotation, OneDownloadServesAllRequestsThatWaitForANewKey) {
    site_.await_status(provider_.token("alice"), 200);
    const std::string known = provider_.token("alice");
    await_end_of_cool_down();
    provider_.set_behaviour(Document::keys, Behaviour::silent);
    const size_t before = provider_.count(Document::keys);
    provider_.add_key();

    std::atomic<int> served = 0;
    std::vector<std::thread> waiting;
    for (int i = 0; i < 8; ++i) {
        waiting.emplace_back([this, &served, token = provider_.token("alice")] {
            if (fetch("GET", site_.nginx().url("/albums/DemoAlbum1/webhooks"), bearer(token))
                    .status == 200) {
                ++served;
            }
        });
    }
    await("the keys are requested", [&] { return provider_.count(Document::keys) > before; });
    EXPECT_EQ(site_.status(known), 200);
    EXPECT_EQ(served, 0);
    provider_.set_behaviour(Document::keys, Behaviour::good);
    for (std::thread& thread : waiting) {
        thread.join();
    }
    EXPECT_EQ(served, 8) << site_.worker().log();
    EXPECT_EQ(provider_.count(Document::keys), before + 1);
}

TEST_F(ProviderRotation, UnknownKeysWaitOnHalfOfTheThreadsAtMost) {
    constexpr int kThreads = 16;
    site_.await_status(provider_.token("alice"), 200);
    const std::string known = provider_.token("alice");
    bool served_meanwhile = false;
    for (int i = 0; i < 10 && !served_meanwhile; ++i) {  // one round may fail on a busy machine
        provider_.set_behaviour(Document::keys, Behaviour::good);
        site_.worker().signal(SIGHUP);
        await_end_of_cool_down();
        provider_.set_behaviour(Document::keys, Behaviour::silent);
        std::atomic<int> answered = 0;
        std::vector<std::thread> unknown;
        for (int j = 0; j < kThreads; ++j) {
            unknown.emplace_back([&, token = token_of_unknown_key(provider_, std::to_string(j))] {
                static_cast<void>(
                    fetch("GET", site_.nginx().url("/albums/DemoAlbum1/webhooks"), bearer(token)));
                ++answered;
            });
        }
        await("half of them are refused at once", [&] { return answered >= kThreads / 2; });
        EXPECT_EQ(site_.status(known), 200);
        served_meanwhile = answered < kThreads;
        for (std::thread& thread : unknown) {
            thread.join();
        }
    }
    EXPECT_TRUE(served_meanwhile) << site_.worker().log();
}

/// Thousands of tokens with invented keys, over many connections at once.
class ProviderFlood : public ProviderRotation, public testing::WithParamInterface<Behaviour> {
  protected:
    static constexpr int kClients = 8;
    static constexpr int kTokensEach = 400;

    /// Sends them all; returns how often each status came.
    std::map<int, int> flood() {
        std::mutex mutex;
        std::map<int, int> answers;
        std::vector<std::thread> clients;
        for (int client = 0; client < kClients; ++client) {
            clients.emplace_back([&, client] {
                HttpClient http;
                for (int i = 0; i < kTokensEach; ++i) {
                    const std::string kid = std::to_string(client) + "-" + std::to_string(i);
                    const int status =
                        http.fetch("GET", site_.nginx().url("/albums/DemoAlbum1/webhooks"),
                                   bearer(token_of_unknown_key(provider_, kid)))
                            .status;
                    const std::lock_guard lock(mutex);
                    ++answers[status];
                }
            });
        }
        for (std::thread& client : clients) {
            client.join();
        }
        return answers;
    }
};

INSTANTIATE_TEST_SUITE_P(While, ProviderFlood,
                         testing::Values(Behaviour::good, Behaviour::server_error,
                                         Behaviour::silent),
                         [](const auto& test) { return testing::PrintToString(test.param); });

TEST_P(ProviderFlood, CausesOneDownloadPerCoolDownAndDelaysNobodyElse) {
    site_.await_status(provider_.token("alice"), 200);
    provider_.set_behaviour(Document::keys, GetParam());
    const size_t before = provider_.count(Document::keys);
    const auto begin = steady_clock::now();

    std::atomic<bool> flooding = true;
    std::thread others([&] {
        HttpClient http;
        while (flooding) {
            EXPECT_EQ(http.fetch("GET", site_.nginx().url("/albums/DemoAlbum1/webhooks"),
                                 bearer(provider_.token("alice")))
                          .status,
                      200);
        }
    });
    const std::map<int, int> answers = flood();
    flooding = false;
    others.join();

    const size_t downloads = provider_.count(Document::keys) - before;
    EXPECT_LE(downloads, allowed_downloads(steady_clock::now() - begin));
    EXPECT_EQ(provider_.max_concurrent(Document::keys), 1U);
    int answered = 0;
    for (const auto& [status, count] : answers) {
        EXPECT_TRUE(status == 401 || (status == 503 && GetParam() != Behaviour::good))
            << count << " answers " << status;
        answered += count;
    }
    EXPECT_EQ(answered, kClients * kTokensEach);
    EXPECT_LE(site_.count_logged("event=keys_lost"), 1U) << site_.worker().log();
}

TEST(ProviderReload, SighupDownloadsTheKeysAtOnce) {
    TestProvider provider;
    const TestWorker worker(Settings{{"KHEOPS_OIDC_PROVIDER", provider.url()}},
                            WorkerBuild::standard);
    worker.await_log("event=keys ");
    worker.signal(SIGHUP);
    await("the keys are requested again, minutes before the next refresh",
          [&] { return provider.count(Document::keys) == 2; });
}

}  // namespace
}  // namespace kheops::test
