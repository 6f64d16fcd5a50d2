// SPDX-License-Identifier: MIT

// When keys are fetched, which are used, and when they are written to the cache file.
// tests/nginx/provider_*_test.cpp test the same through the worker.

#include "provider/provider_keys.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <numeric>
#include <thread>

#include "provider/key_cache.hpp"
#include "support/await.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_provider.hpp"

namespace {

std::atomic<bool> disk_is_held = false;
std::atomic<int> waiting_for_disk = 0;

}  // namespace

// Replaces the C library's fsync(): a slow disk. It returns after a minute at most, so that a test
// that waits for it in vain fails.
extern "C" int fsync(int /*descriptor*/) {
    ++waiting_for_disk;
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (disk_is_held && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    --waiting_for_disk;
    return 0;
}

namespace kheops::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const Log kLog(LogLevel::error);

constexpr KeyTimes kLongTimes = {.cool_down = hours(1),
                                 .min_refresh = hours(2),
                                 .max_refresh = hours(4),
                                 .fetch_timeout = minutes(1)};
/// Allows a fetch for each unknown key; no other fetch is due within a test.
constexpr KeyTimes kNoCoolDown = {.cool_down = milliseconds(0),
                                  .min_refresh = hours(2),
                                  .max_refresh = hours(4),
                                  .fetch_timeout = minutes(1)};

Deadline long_enough() {
    return Deadline(Clock::now() + minutes(1));
}

/// The keys' kids; empty without keys.
std::string kids_of(const KeySource::Keys& keys) {
    if (!keys) {
        return "";
    }
    return std::accumulate(
        keys->keys.keys.begin(), keys->keys.keys.end(), std::string(),
        [](const std::string& all, const Key& key) { return all + key.kid.value_or("-") + " "; });
}

class Keys : public testing::Test {
  protected:
    [[nodiscard]] Provider provider() const {
        Provider provider;
        provider.url = provider_.url();
        return provider;
    }
    [[nodiscard]] ProviderSettings settings(const KeyTimes& times) const {
        ProviderSettings settings;
        settings.provider = provider();
        settings.times = times;
        settings.max_age = hours(24);
        return settings;
    }
    [[nodiscard]] ProviderSettings with_cache(const KeyTimes& times) const {
        ProviderSettings settings = this->settings(times);
        settings.cache_file = file();
        return settings;
    }

    [[nodiscard]] std::string file() const { return directory_.file("keys"); }

    /// Writes the present keys to the cache file.
    void fill_cache(seconds age, const std::string& issuer) {
        const PublishedKeys published = fetch_keys(provider(), long_enough(), {});
        write_key_cache(file(),
                        {provider_.url(), issuer, published.jwk_set,
                         std::chrono::floor<seconds>(std::chrono::system_clock::now()) - age});
    }
    void fill_cache(seconds age) { fill_cache(age, provider_.url()); }

    TemporaryDirectory directory_;
    TestProvider provider_;
};

// --- When the provider is asked

TEST_F(Keys, AreFetchedAtOnceByAReload) {
    ProviderKeys keys(settings(kLongTimes), kLog);
    keys.start_refreshing();
    await("there are keys", [&] { return keys.current() != nullptr; });
    provider_.rotate();
    keys.reload();
    await("there are new keys", [&] { return kids_of(keys.current()) == "key-2 "; });
    EXPECT_EQ(provider_.count(Document::keys), 2U);
}

TEST_F(Keys, AreFetchedAgainWhenTheAnswerIsStale) {
    provider_.set_headers({{"Cache-Control", "max-age=0"}});
    KeyTimes times = kLongTimes;
    times.min_refresh = milliseconds(1);
    ProviderKeys keys(settings(times), kLog);
    keys.start_refreshing();
    await("the keys are asked for again", [&] { return provider_.count(Document::keys) > 2; });
}

TEST_F(Keys, AreRetriedWithBackoffWhileTheProviderFails) {
    provider_.set_behaviour(Document::discovery, Behaviour::server_error);
    KeyTimes times = kLongTimes;
    times.cool_down = milliseconds(1);
    ProviderKeys keys(settings(times), kLog);
    const Clock::time_point begin = Clock::now();
    keys.start_refreshing();
    constexpr size_t kDownloads = 10;
    await("the keys are asked for", [&] { return provider_.connections() >= kDownloads; });
    EXPECT_GE(Clock::now() - begin, milliseconds((1 << (kDownloads - 1)) - 1));
}

TEST_F(Keys, ThatAreUnknownAreNotFetchedInACoolDown) {
    ProviderKeys keys(settings(kLongTimes), kLog);
    keys.start_refreshing();
    await("there are keys", [&] { return keys.current() != nullptr; });
    const KeySource::Keys known = keys.current();
    provider_.rotate();
    EXPECT_EQ(keys.newer_than(known, long_enough()), known);
    EXPECT_EQ(provider_.count(Document::keys), 1U);
}

/// Retry-After in seconds; 0 if there are keys.
std::int64_t retry_after(ProviderKeys& keys) {
    try {
        static_cast<void>(keys.newer_than(nullptr, long_enough()));
        return 0;
    } catch (const KeysUnavailable& error) {
        return error.retry_after().count();
    }
}

TEST_F(Keys, ThatAreMissingGiveTheCoolDownAsRetryAfter) {
    provider_.stop();
    ProviderKeys keys(settings(kLongTimes), kLog);
    for (int i = 0; i < 2; ++i) {  // a download that fails, and none in the cool-down
        const std::int64_t wait = retry_after(keys);
        EXPECT_GT(wait, 3000);
        EXPECT_LE(wait, 3600);
    }
    ProviderKeys no_cool_down(settings(kNoCoolDown), kLog);
    EXPECT_EQ(retry_after(no_cool_down), 1);
}

// --- A program that answers one request

TEST_F(Keys, OfTheCacheServeOneRequestWithoutTheProvider) {
    fill_cache(hours(3));
    provider_.rotate();
    const ProviderKeys keys(with_cache(kLongTimes), kLog);
    EXPECT_EQ(kids_of(keys.current()), "key-1 ");
}

TEST_F(Keys, OfAnOldCacheAreFetchedAgainForOneRequest) {
    fill_cache(hours(5));
    provider_.rotate();
    ProviderKeys keys(with_cache(kLongTimes), kLog);
    EXPECT_EQ(keys.current(), nullptr);
    EXPECT_EQ(kids_of(keys.newer_than(nullptr, long_enough())), "key-2 ");
    EXPECT_EQ(kids_of(keys.current()), "key-2 ");
}

TEST_F(Keys, OfAnOldCacheServeInTimeWhileTheProviderIsSilent) {
    fill_cache(hours(5));
    provider_.set_behaviour(Document::keys, Behaviour::silent);
    ProviderKeys keys(with_cache(kLongTimes), kLog);
    const Deadline deadline(Clock::now() + seconds(2));
    EXPECT_EQ(kids_of(keys.newer_than(nullptr, deadline)), "key-1 ");
    EXPECT_FALSE(deadline.passed());
}

// --- Which keys of the cache file are used

TEST_F(Keys, OfACacheServeUpToTheirMaximumAge) {
    fill_cache(hours(23));
    ProviderSettings with_long_refresh = with_cache(kLongTimes);
    with_long_refresh.times.max_refresh = hours(100);
    EXPECT_NE(ProviderKeys(with_long_refresh, kLog).current(), nullptr);
    fill_cache(hours(24));
    EXPECT_EQ(ProviderKeys(with_long_refresh, kLog).current(), nullptr);
}

TEST_F(Keys, OfACacheFromTheFutureDoNotServe) {
    fill_cache(seconds(-30));
    EXPECT_NE(ProviderKeys(with_cache(kLongTimes), kLog).current(), nullptr);
    for (const seconds ahead : {seconds(hours(1)), seconds(18'000'000'000)}) {
        fill_cache(-ahead);
        EXPECT_EQ(ProviderKeys(with_cache(kLongTimes), kLog).current(), nullptr) << ahead.count();
    }
}

TEST_F(Keys, OfACacheServeForTheirIssuerOnly) {
    const std::string other = "https://other.example";
    ProviderSettings configured = with_cache(kLongTimes);
    configured.provider.issuer = other;

    fill_cache(seconds(0), provider_.url());
    EXPECT_NE(ProviderKeys(with_cache(kLongTimes), kLog).current(), nullptr);
    EXPECT_EQ(ProviderKeys(configured, kLog).current(), nullptr);

    fill_cache(seconds(0), provider_.url() + "/");
    EXPECT_NE(ProviderKeys(with_cache(kLongTimes), kLog).current(), nullptr);

    fill_cache(seconds(0), other);
    EXPECT_EQ(ProviderKeys(with_cache(kLongTimes), kLog).current(), nullptr);
    const ProviderKeys keys(configured, kLog);
    ASSERT_NE(keys.current(), nullptr);
    EXPECT_EQ(keys.current()->issuer, other);
}

// --- A slow disk

class SlowDisk : public Keys {
  protected:
    SlowDisk() { disk_is_held = true; }
    ~SlowDisk() override { release(); }

    static void release() { disk_is_held = false; }
    static void await_writing() {
        await("the file is being written", [] { return waiting_for_disk > 0; });
    }

    [[nodiscard]] bool file_holds(const std::string& kid) const {
        const auto cached = read_key_cache(file());
        return cached && cached->jwk_set.find('"' + kid + '"') != std::string::npos;
    }
};

TEST_F(SlowDisk, DelaysNoKeysAndTheLastOnesAreSaved) {
    {
        ProviderKeys keys(with_cache(kNoCoolDown), kLog);
        keys.start_refreshing();
        await("there are keys", [&] { return keys.current() != nullptr; });
        await_writing();
        EXPECT_FALSE(std::filesystem::exists(file()));
        for (const char* kids : {"key-2 ", "key-3 "}) {
            provider_.rotate();
            EXPECT_EQ(kids_of(keys.newer_than(keys.current(), long_enough())), kids);
        }
        EXPECT_FALSE(std::filesystem::exists(file()));
        release();
    }
    EXPECT_TRUE(file_holds("key-3"));
}

TEST_F(SlowDisk, IsWrittenToAfterOneRequest) {
    auto keys = std::make_unique<ProviderKeys>(with_cache(kNoCoolDown), kLog);
    EXPECT_EQ(kids_of(keys->newer_than(nullptr, long_enough())), "key-1 ");
    EXPECT_FALSE(std::filesystem::exists(file()));
    release();
    keys.reset();
    EXPECT_TRUE(file_holds("key-1"));
}

}  // namespace
}  // namespace kheops::test
