// SPDX-License-Identifier: MIT
#include "provider/refresh_policy.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr KeyTimes kTimes = {.cool_down = seconds(10),
                             .min_refresh = minutes(5),
                             .max_refresh = hours(1),
                             .fetch_timeout = seconds(10)};
constexpr seconds kDay = hours(24);
constexpr sys_seconds kNow(seconds(1'800'000'000));

// --- How long an answer is fresh

std::optional<seconds> with_cache_control(const std::string& text) {
    return freshness_lifetime({.cache_control = text}, kNow);
}

TEST(Freshness, IsUnknownWithoutCacheHeaders) {
    EXPECT_EQ(with_cache_control(""), std::nullopt);
    for (const char* text : {"public", "private, must-revalidate", "s-maxage=5", "max-age",
                             "xmax-age=5", "no-transform", ",, ,", "immutable"}) {
        EXPECT_EQ(with_cache_control(text), std::nullopt) << text;
    }
    EXPECT_EQ(freshness_lifetime({.age = "5", .date = kNow}, kNow), std::nullopt);
}

TEST(Freshness, IsMaxAge) {
    for (const char* text :
         {"max-age=300", "public, max-age=300", "max-age=300,must-revalidate", "Max-Age=300",
          "\tmax-age=300 ", "max-age=\"300\"", "max-age=300, max-age=900", ",max-age=300,"}) {
        EXPECT_EQ(with_cache_control(text), seconds(300)) << text;
    }
    EXPECT_EQ(with_cache_control("max-age=0"), seconds(0));
}

TEST(Freshness, IsZeroIfCachingIsForbidden) {
    for (const char* text :
         {"no-store", "no-cache", "No-Cache", "max-age=300, no-cache", "no-cache, max-age=300",
          "no-store,max-age=300", "no-cache=\"Set-Cookie\"", "max-age=300, no-store"}) {
        EXPECT_EQ(with_cache_control(text), seconds(0)) << text;
    }
}

TEST(Freshness, IsZeroIfMaxAgeIsInvalid) {
    for (const char* text : {"max-age=", "max-age=a while", "max-age=-1", "max-age=1.5",
                             "max-age=+5", "max-age=0x10", "max-age=;5"}) {
        EXPECT_EQ(with_cache_control(text), seconds(0)) << text;
    }
}

TEST(Freshness, IsAtMost68Years) {
    for (const char* text : {"max-age=2147483648", "max-age=99999999999999999999999"}) {
        EXPECT_EQ(with_cache_control(text), seconds(std::int64_t{1} << 31)) << text;
    }
}

TEST(Freshness, IsReducedByTheAgeOfTheAnswer) {
    const auto of_300_seconds = [](const char* age) {
        return freshness_lifetime({.cache_control = "max-age=300", .age = age}, kNow);
    };
    EXPECT_EQ(of_300_seconds("100"), seconds(200));
    EXPECT_EQ(of_300_seconds("300"), seconds(0));
    EXPECT_EQ(of_300_seconds("99999999999999999999999"), seconds(0));
    for (const char* invalid : {"", "-100", "some", "1, 2"}) {
        EXPECT_EQ(of_300_seconds(invalid), seconds(300)) << invalid;
    }
    EXPECT_EQ(freshness_lifetime({.age = "100", .expires = kNow + seconds(300)}, kNow),
              seconds(200));
}

TEST(Freshness, LastsFromDateToExpires) {
    const sys_seconds date = kNow - hours(5);  // by the clock of the server
    EXPECT_EQ(freshness_lifetime({.expires = date + seconds(300), .date = date}, kNow),
              seconds(300));
    EXPECT_EQ(freshness_lifetime({.expires = date - seconds(1), .date = date}, kNow), seconds(0));
}

TEST(Freshness, LastsFromNowToExpiresWithoutADate) {
    EXPECT_EQ(freshness_lifetime({.expires = kNow + seconds(300)}, kNow), seconds(300));
    EXPECT_EQ(freshness_lifetime({.expires = kNow - seconds(300)}, kNow), seconds(0));
    EXPECT_EQ(freshness_lifetime({.expires = sys_seconds()}, kNow), seconds(0));
}

TEST(Freshness, MaxAgeOverridesExpires) {
    EXPECT_EQ(
        freshness_lifetime({.cache_control = "max-age=300", .expires = kNow + hours(9)}, kNow),
        seconds(300));
    EXPECT_EQ(freshness_lifetime({.cache_control = "no-cache", .expires = kNow + hours(9)}, kNow),
              seconds(0));
    EXPECT_EQ(freshness_lifetime({.cache_control = "public", .expires = kNow + seconds(300)}, kNow),
              seconds(300));
}

// --- The clocks

TEST(ClockLead, IsNowMinusTheDateAndTheTimeInACache) {
    EXPECT_EQ(clock_lead({}, kNow), std::nullopt);
    EXPECT_EQ(clock_lead({.date = kNow}, kNow), seconds(0));
    EXPECT_EQ(clock_lead({.date = kNow - minutes(2)}, kNow), minutes(2));
    EXPECT_EQ(clock_lead({.date = kNow + minutes(2)}, kNow), -minutes(2));
    EXPECT_EQ(clock_lead({.age = "3600", .date = kNow - hours(1)}, kNow), seconds(0));
    EXPECT_EQ(clock_lead({.age = "old", .date = kNow}, kNow), seconds(0));
}

// --- After a success

milliseconds refresh_after(std::optional<seconds> lifetime, double random = 0,
                           seconds max_age = kDay) {
    return refresh_interval(kTimes, max_age, lifetime, random);
}

TEST(Refresh, IsDueWhenTheKeysAreStale) {
    EXPECT_EQ(refresh_after(seconds(1000)), seconds(1000));
}

TEST(Refresh, IsDueAfterMaxRefreshAtTheLatest) {
    EXPECT_EQ(refresh_after(std::nullopt), hours(1));
    EXPECT_EQ(refresh_after(hours(1)), hours(1));
    EXPECT_EQ(refresh_after(seconds(std::int64_t{1} << 31)), hours(1));
}

TEST(Refresh, IsNeverSoonerThanMinRefresh) {
    for (const int lifetime : {0, 1, 299, 300}) {
        for (const double random : {0.0, 0.5, 1.0}) {
            EXPECT_GE(refresh_after(seconds(lifetime), random), minutes(5));
            EXPECT_LE(refresh_after(seconds(lifetime), random), seconds(334));
        }
        EXPECT_EQ(refresh_after(seconds(lifetime), 1), minutes(5));
    }
}

TEST(Refresh, IsEarlierByUpToATenthAtRandom) {
    EXPECT_EQ(refresh_after(seconds(1000), 0.5), seconds(950));
    EXPECT_EQ(refresh_after(seconds(1000), 1), seconds(900));
    EXPECT_EQ(refresh_after(std::nullopt, 1), minutes(54));
}

TEST(Refresh, IsDueAfterHalfOfTheMaximumAge) {
    EXPECT_EQ(refresh_after(std::nullopt, 0, hours(1)), minutes(30));
    EXPECT_EQ(refresh_after(hours(1), 1, hours(1)), minutes(27));
    EXPECT_EQ(refresh_after(seconds(1000), 0, hours(1)), seconds(1000));
    // The minimum that can be configured.
    for (const double random : {0.0, 0.5, 1.0}) {
        EXPECT_GE(refresh_after(std::nullopt, random, minutes(10)), minutes(5));
        EXPECT_LE(refresh_after(std::nullopt, random, minutes(10)), seconds(334));
    }
}

// --- After a failure

TEST(Retry, IsDueAfterTheCoolDownDoubledWithEachFailure) {
    EXPECT_EQ(retry_backoff(kTimes, 1, 0), seconds(10));
    EXPECT_EQ(retry_backoff(kTimes, 2, 0), seconds(20));
    EXPECT_EQ(retry_backoff(kTimes, 3, 0), seconds(40));
    EXPECT_EQ(retry_backoff(kTimes, 5, 0), seconds(160));
}

TEST(Retry, IsDueAfterMinRefreshAtTheLatest) {
    for (const unsigned failures : {6U, 7U, 17U, 33U, 1000U, 4'000'000'000U}) {
        EXPECT_EQ(retry_backoff(kTimes, failures, 0), minutes(5)) << failures;
    }
}

TEST(Retry, IsLaterByUpToAQuarterAtRandom) {
    EXPECT_EQ(retry_backoff(kTimes, 1, 0.5), milliseconds(11'250));
    EXPECT_EQ(retry_backoff(kTimes, 1, 1), milliseconds(12'500));
    EXPECT_EQ(retry_backoff(kTimes, 1000, 1), seconds(375));
}

}  // namespace
}  // namespace kheops
