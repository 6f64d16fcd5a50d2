// SPDX-License-Identifier: MIT
#include "database/health.hpp"

#include <gtest/gtest.h>

#include <poll.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "support/await.hpp"
#include "support/standard_error.hpp"

namespace kheops {
namespace {

using std::chrono::milliseconds;
using test::await;

DatabaseError unreachable(const std::string& reason) {
    return {DatabaseError::Kind::unreachable, "", reason};
}

Deadline in_a_minute() {
    return Deadline(Clock::now() + std::chrono::minutes(1));
}

class Health : public testing::Test {
  protected:
    /// The lines about that event which are logged meanwhile.
    int lines_of(const std::string& event, const std::function<void()>& act) {
        const size_t before = logged_.text().size();
        act();
        const std::string log = logged_.text();
        int lines = 0;
        for (size_t at = log.find("event=" + event, before); at != std::string::npos;
             at = log.find("event=" + event, at + 1)) {
            ++lines;
        }
        return lines;
    }

    test::StandardErrorFile logged_;
    Log log_{LogLevel::info};
    DatabaseHealth health_{log_};
};

TEST(PauseBetweenTries, IsSpreadOverFourTenthsOfASecond) {
    EXPECT_EQ(pause_between_tries(0), milliseconds(200));
    EXPECT_EQ(pause_between_tries(0.5), milliseconds(400));
    EXPECT_EQ(pause_between_tries(0.9999), milliseconds(599));
}

TEST(TryLimit, OfEachFourthIsARequestsBudget) {
    for (const unsigned number : {1U, 2U, 3U, 5U, 7U, 9U}) {
        EXPECT_EQ(try_limit(number, milliseconds(300000)), milliseconds(1500)) << number;
    }
    EXPECT_EQ(try_limit(4, milliseconds(300000)), milliseconds(300000));
    EXPECT_EQ(try_limit(8, milliseconds(300000)), milliseconds(300000));
    EXPECT_EQ(try_limit(4, milliseconds(100)), milliseconds(1500));
}

TEST_F(Health, EachReasonIsLoggedOnceUntilTheDatabaseIsBack) {
    const auto fail_twice = [this] {
        health_.failed(unreachable("one"));
        health_.failed(unreachable("one"));
        health_.failed(unreachable("two"));
    };
    EXPECT_EQ(lines_of("database_lost", fail_twice), 2);
    EXPECT_EQ(lines_of("database_back",
                       [this] {
                           health_.answered();
                           health_.answered();
                       }),
              1);
    EXPECT_EQ(lines_of("database_lost", fail_twice), 2);
}

TEST_F(Health, EachHostsReasonHasALineOfItsOwn) {
    EXPECT_EQ(lines_of("database_lost", [this] { health_.failed(unreachable("one\ntwo")); }), 2);
    EXPECT_EQ(lines_of("database_lost", [this] { health_.failed(unreachable("two\nthree")); }), 1);
}

TEST_F(Health, NoMoreThanEightReasonsAreLogged) {
    EXPECT_EQ(lines_of("database_lost",
                       [this] {
                           for (int i = 0; i < 100; ++i) {
                               health_.failed(unreachable("reason " + std::to_string(i)));
                           }
                       }),
              8);
}

TEST_F(Health, WhatIsOneRequestsFateIsNoLoss) {
    using Kind = DatabaseError::Kind;
    EXPECT_EQ(lines_of("database_lost",
                       [this] {
                           for (const Kind kind : {Kind::late, Kind::conflict, Kind::abandoned}) {
                               health_.failed({kind, "40001", "reason"});
                           }
                       }),
              0);
}

TEST_F(Health, AnExceptionOfAnyKindGivesTheRightToConnectBack) {
    for (int i = 0; i < 10; ++i) {
        EXPECT_THROW(health_.connecting(Deadline(Clock::now() + milliseconds(100)),
                                        [] { throw std::runtime_error("no memory, say"); }),
                     std::runtime_error);
    }
    bool connected = false;
    health_.connecting(Deadline(Clock::now()), [&] { connected = true; });
    EXPECT_TRUE(connected);
}

TEST_F(Health, ATryUnderWayHearsOfTheStop) {
    std::promise<void> trying;
    std::jthread watcher([&](const std::stop_token& stop) {
        health_.look_after(stop, milliseconds(1000), [&](Deadline deadline) {
            trying.set_value();
            pollfd caller = {.fd = deadline.caller(), .events = 0, .revents = 0};
            EXPECT_EQ(::poll(&caller, 1, 60000), 1);
            throw DatabaseError(DatabaseError::Kind::abandoned, "", "the caller hung up");
        });
    });
    std::future<void> tried = trying.get_future();
    await("somebody is looking after it", [&] {
        EXPECT_THROW(health_.connecting(in_a_minute(), [] { throw unreachable("gone"); }),
                     DatabaseError);
        return tried.wait_for(milliseconds(0)) == std::future_status::ready;
    });
    watcher.request_stop();
    watcher.join();
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Health, ATryThatFailsInAnotherWayIsFollowedByTheNext) {
    std::atomic<int> tries = 0;
    std::jthread watcher([&](const std::stop_token& stop) {
        health_.look_after(stop, milliseconds(1000), [&](Deadline) {
            if (++tries == 1) {
                throw std::runtime_error("no memory, say");
            }
        });
    });
    await("it has been tried again", [&] {
        if (tries == 0) {
            EXPECT_THROW(health_.connecting(in_a_minute(), [] { throw unreachable("gone"); }),
                         DatabaseError);
        }
        return tries == 2;
    });
    watcher.request_stop();
    watcher.join();
    EXPECT_NE(logged_.text().find("reason=\"no memory, say\""), std::string::npos);
}

TEST_F(Health, WhoWaitsInDoubtGoesOnWhenNobodyLooksAfterItAnyMore) {
    std::promise<void> trying;
    std::jthread watcher([&](const std::stop_token& stop) {
        health_.look_after(stop, milliseconds(1000), [&](Deadline deadline) {
            trying.set_value();
            pollfd caller = {.fd = deadline.caller(), .events = 0, .revents = 0};
            ::poll(&caller, 1, 60000);
            throw DatabaseError(DatabaseError::Kind::abandoned, "", "the caller hung up");
        });
    });
    std::future<void> tried = trying.get_future();
    await("it is in doubt", [&] {
        health_.failed({DatabaseError::Kind::late, "", "no answer"});
        return tried.wait_for(milliseconds(0)) == std::future_status::ready;
    });
    std::future<void> waiting = std::async(std::launch::async, [&] {
        health_.connecting(Deadline(Clock::now() + std::chrono::hours(1)), [] {});
    });
    watcher.request_stop();
    EXPECT_EQ(waiting.wait_for(std::chrono::minutes(1)), std::future_status::ready);
}

}  // namespace
}  // namespace kheops
