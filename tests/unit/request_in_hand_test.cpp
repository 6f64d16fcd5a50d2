// SPDX-License-Identifier: MIT
#include "server/request_in_hand.hpp"

#include <gtest/gtest.h>

#include "support/sockets.hpp"

namespace kheops {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kEnd{1h};

TEST(RequestInHand, AnOverdueConnectionIsShutDownOnce) {
    const auto [ours, peer] = test::make_socket_pair();
    RequestInHand in_hand;
    const RequestInHand::Scope scope(in_hand, ours.number(), Deadline(kEnd));
    // A 503 that says that the budget is spent still has to be written.
    EXPECT_FALSE(in_hand.cut_if_overdue(kEnd + 499ms));
    EXPECT_FALSE(peer.has_hung_up());
    EXPECT_TRUE(in_hand.cut_if_overdue(kEnd + 500ms));
    EXPECT_TRUE(peer.has_hung_up());
    EXPECT_FALSE(in_hand.cut_if_overdue(kEnd + 501ms));
}

TEST(RequestInHand, WhatHasEndedIsLeftAlone) {
    const auto [ours, peer] = test::make_socket_pair();
    RequestInHand in_hand;
    EXPECT_FALSE(in_hand.cut_if_overdue(kEnd));
    { const RequestInHand::Scope scope(in_hand, ours.number(), Deadline(kEnd)); }
    EXPECT_FALSE(in_hand.cut_if_overdue(kEnd + 1h));
    EXPECT_FALSE(peer.has_hung_up());
}

TEST(RequestInHand, AThreadIsStuckWhenItDoesNotComeBackLongAfterItsRequestWasOverdue) {
    RequestInHand in_hand;
    EXPECT_FALSE(in_hand.is_stuck(kEnd));
    {
        const RequestInHand::Scope scope(in_hand, -1, Deadline(kEnd));
        EXPECT_FALSE(in_hand.is_stuck(kEnd + 10s));
        EXPECT_TRUE(in_hand.is_stuck(kEnd + 10500ms));
    }
    EXPECT_FALSE(in_hand.is_stuck(kEnd + 1h));
}

}  // namespace
}  // namespace kheops
