// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>

#include "server/exchange.hpp"
#include "support/test_keys.hpp"

namespace kheops {
namespace {

/// A source that has no keys yet.
class LateKeys : public KeySource {
  public:
    explicit LateKeys(std::chrono::seconds retry_after) : retry_after_(retry_after) {}
    [[nodiscard]] Keys current() const override { return nullptr; }
    [[nodiscard]] Keys newer_than(const Keys& /*known*/, Deadline /*deadline*/) override {
        throw KeysUnavailable(retry_after_);
    }
    void reload() override {}
    [[nodiscard]] KeyStatus status() const override { return {}; }

  private:
    std::chrono::seconds retry_after_;
};

TEST(RetryAfter, OfMissingKeysIsTheTimeUntilTheNextFetch) {
    const Log log(LogLevel::error);
    ConnectionPool database({}, 1, log);
    Request request;
    request.method = "GET";
    request.path = "/albums/DemoAlbum1/webhooks";
    request.authorization = "Bearer " + test::mint_token("alice");
    for (const int seconds : {1, 7, 300}) {
        LateKeys keys{std::chrono::seconds(seconds)};
        const TokenVerifier tokens(keys, {});
        const Clock::time_point now = Clock::now();
        const Response response =
            answer(request, tokens, database, now, Deadline(now + std::chrono::minutes(1)), log)
                .response;
        EXPECT_EQ(response.status, 503);
        const Header expected = {"Retry-After", std::to_string(seconds)};
        EXPECT_EQ(std::count(response.headers.begin(), response.headers.end(), expected), 1)
            << seconds;
    }
}

TEST(RetryAfter, OfBusyThreadsIsOneSecondForEachPath) {
    const Log log(LogLevel::error);
    for (const char* path : {"/albums/DemoAlbum1/webhooks", "/elsewhere"}) {
        Request request;
        request.path = path;
        const Response response = answer_too_busy(request, Clock::now(), log).response;
        EXPECT_EQ(response.status, 503);
        const Header expected = {"Retry-After", "1"};
        EXPECT_EQ(std::count(response.headers.begin(), response.headers.end(), expected), 1);
        EXPECT_NE(response.body.find("All threads are busy"), std::string::npos) << response.body;
    }
}

}  // namespace
}  // namespace kheops
