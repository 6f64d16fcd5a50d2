// SPDX-License-Identifier: MIT
#include "database/pool_policy.hpp"

#include <gtest/gtest.h>

namespace kheops {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

TEST(PauseBetweenProbes, IsRandomFrom200To600Milliseconds) {
    EXPECT_EQ(probe_interval(0), 200ms);
    EXPECT_EQ(probe_interval(0.5), 400ms);
    EXPECT_EQ(probe_interval(0.9999), 599ms);
}

TEST(ProbeLimit, OfEachFourthIsTheRequestBudget) {
    for (const unsigned number : {1U, 2U, 3U, 5U, 7U, 9U}) {
        EXPECT_EQ(probe_timeout(number, 300s), 1500ms) << number;
    }
    EXPECT_EQ(probe_timeout(4, 300s), 300s);
    EXPECT_EQ(probe_timeout(8, 300s), 300s);
    EXPECT_EQ(probe_timeout(4, 100ms), 1500ms);
}

TEST(PauseBeforeGrowing, DoublesUpTo30SecondsAndIsRandomInItsSecondHalf) {
    const std::vector<milliseconds> longest = {1s, 2s, 4s, 8s, 16s, 30s, 30s};
    for (unsigned refusals = 1; refusals <= longest.size(); ++refusals) {
        EXPECT_EQ(growth_backoff(refusals, 0), longest[refusals - 1] / 2) << refusals;
        EXPECT_GE(growth_backoff(refusals, 0.9999), longest[refusals - 1] - 2ms) << refusals;
        EXPECT_LE(growth_backoff(refusals, 0.9999), longest[refusals - 1]) << refusals;
    }
    EXPECT_EQ(growth_backoff(4000000000U, 0), 15s);
}

TEST(Lifetime, EndsAtRandomInItsLastFifth) {
    EXPECT_EQ(lifetime(30min, 0), 30min);
    EXPECT_EQ(lifetime(30min, 0.5), 27min);
    EXPECT_GT(lifetime(30min, 0.9999), 24min);
}

class ClosingIdleConnections : public testing::Test {
  protected:
    const Clock::time_point now_ = Clock::now();
    const PoolTimes times_;
    PoolState pool_{.open = 3, .is_limited = false, .had_waiters = false};
};

TEST_F(ClosingIdleConnections, OneUnusedForMaxIdleIsSurplusUnlessItIsTheLast) {
    const ConnectionTimes unused = {now_ - times_.max_idle, now_ + 1h};
    EXPECT_TRUE(is_surplus(unused, pool_, times_, now_));
    EXPECT_FALSE(is_surplus({unused.last_used + 1ms, now_ + 1h}, pool_, times_, now_));
    pool_.open = 1;
    EXPECT_FALSE(is_surplus(unused, pool_, times_, now_));
}

TEST_F(ClosingIdleConnections, OneAtTheEndOfItsLifetimeExpires) {
    const ConnectionTimes old = {now_, now_};
    EXPECT_TRUE(should_be_replaced(old, pool_, now_));
    EXPECT_FALSE(should_be_replaced({now_, now_ + 1ms}, pool_, now_));
    pool_.open = 1;
    EXPECT_TRUE(should_be_replaced(old, pool_, now_));
}

TEST_F(ClosingIdleConnections, NoneExpiresWhileRequestsWait) {
    pool_.had_waiters = true;
    EXPECT_FALSE(should_be_replaced({now_, now_}, pool_, now_));
}

TEST_F(ClosingIdleConnections, TheLastDoesNotExpireIfTheServerMayGiveNoOther) {
    pool_.is_limited = true;
    EXPECT_TRUE(should_be_replaced({now_, now_}, pool_, now_));
    pool_.open = 1;
    EXPECT_FALSE(should_be_replaced({now_, now_}, pool_, now_));
}

}  // namespace
}  // namespace kheops
