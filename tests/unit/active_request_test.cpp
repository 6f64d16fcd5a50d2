// SPDX-License-Identifier: MIT
#include "server/active_request.hpp"

#include <gtest/gtest.h>

#include "support/sockets.hpp"

namespace kheops {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kEnd{1h};

TEST(ActiveRequest, AnOverdueConnectionIsShutDownOnce) {
    const auto [ours, peer] = test::make_socket_pair();
    ActiveRequest active;
    const ActiveRequest::Scope scope(active, ours.number(), Deadline(kEnd));
    // The worker needs this time to write a 503 when the budget is spent.
    EXPECT_FALSE(active.shut_down_if_overdue(kEnd + 499ms));
    EXPECT_FALSE(peer.has_hung_up());
    EXPECT_TRUE(active.shut_down_if_overdue(kEnd + 500ms));
    EXPECT_TRUE(peer.has_hung_up());
    EXPECT_FALSE(active.shut_down_if_overdue(kEnd + 501ms));
}

TEST(ActiveRequest, AFinishedRequestIsNotCut) {
    const auto [ours, peer] = test::make_socket_pair();
    ActiveRequest active;
    EXPECT_FALSE(active.shut_down_if_overdue(kEnd));
    { const ActiveRequest::Scope scope(active, ours.number(), Deadline(kEnd)); }
    EXPECT_FALSE(active.shut_down_if_overdue(kEnd + 1h));
    EXPECT_FALSE(peer.has_hung_up());
}

TEST(ActiveRequest, AThreadIsStuck10SecondsAfterItsRequestIsOverdue) {
    ActiveRequest active;
    EXPECT_FALSE(active.is_stuck(kEnd));
    {
        const ActiveRequest::Scope scope(active, -1, Deadline(kEnd));
        EXPECT_FALSE(active.is_stuck(kEnd + 10s));
        EXPECT_TRUE(active.is_stuck(kEnd + 10500ms));
    }
    EXPECT_FALSE(active.is_stuck(kEnd + 1h));
}

}  // namespace
}  // namespace kheops
