// SPDX-License-Identifier: MIT

// The connection pool, over a server whose answers each test chooses.

#include "database/connection_pool.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "database/query.hpp"
#include "support/await.hpp"
#include "support/hostile_server.hpp"
#include "support/standard_error.hpp"

namespace kheops {
namespace {

using namespace std::chrono_literals;
using test::await;
using Request = test::HostileServer::Request;
using Reply = test::HostileServer::Reply;
using Lease = ConnectionPool::Lease;

constexpr Statement kStatement = {"statement", "SELECT"};

Deadline in(std::chrono::milliseconds time) {
    return Deadline(Clock::now() + time);
}

class Pool : public testing::Test {
  protected:
    [[nodiscard]] DatabaseSettings settings(std::chrono::milliseconds budget = 30s) const {
        DatabaseSettings settings;
        settings.connection = server_.conninfo();
        settings.budget = budget;
        return settings;
    }

    /// From now on the server accepts `max` connections, earlier ones included. It sends the others
    /// `refusal`; if that is empty, it never answers them.
    void limit_to(int max,
                  const std::string& refusal = test::pg_error("53300", "no more", "FATAL")) {
        max_connections_ = max;
        const std::lock_guard lock(mutex_);
        refusal_ = {.once = refusal, .close = !refusal.empty()};
    }

    [[nodiscard]] Reply reply(const Request& request) {
        const std::lock_guard lock(mutex_);
        if (request.kind == Request::Kind::startup && accepted_ >= max_connections_) {
            return refusal_;
        }
        accepted_ += request.kind == Request::Kind::startup ? 1 : 0;
        if (request.kind == Request::Kind::startup) {
            return test::HostileServer::startup(version_);
        }
        switch (request.kind) {
            case Request::Kind::execute:
                return execute_;
            case Request::Kind::ping:
                return ping_;
            default:
                return test::HostileServer::honest(request);
        }
    }

    void answer_execute(const Reply& reply) {
        const std::lock_guard lock(mutex_);
        execute_ = reply;
    }

    static void ask(ConnectionPool& pool, std::chrono::milliseconds budget = 30s) {
        query(pool, kStatement, {}, in(budget), [](const Result&) {});
    }

    /// Borrows `count` at once.
    static std::vector<Lease> borrow(ConnectionPool& pool, std::size_t count) {
        std::vector<Lease> leases;
        for (std::size_t i = 0; i < count; ++i) {
            leases.push_back(pool.borrow(in(30s)));
        }
        return leases;
    }

    [[nodiscard]] int lines_of(const std::string& event) const {
        const std::string log = logged_.text();
        int lines = 0;
        for (std::size_t at = log.find("event=" + event + " "); at != std::string::npos;
             at = log.find("event=" + event + " ", at + 1)) {
            ++lines;
        }
        return lines;
    }

    test::StandardErrorFile logged_;
    Log log_{LogLevel::info};
    std::mutex mutex_;
    std::atomic<int> max_connections_ = 1000;
    int accepted_ = 0;
    Reply refusal_;
    Reply ping_ = test::HostileServer::honest({Request::Kind::ping, ""});
    std::string version_ = "15.0";
    Reply execute_ = test::HostileServer::honest({Request::Kind::execute, ""});
    test::HostileServer server_{[this](const Request& request) { return reply(request); }};
};

TEST_F(Pool, TheConnectionUsedLastIsBorrowedFirst) {
    ConnectionPool pool(settings(), 3, log_);
    const Connection* last = nullptr;
    {
        std::vector<Lease> leases = borrow(pool, 3);
        last = &leases[1].connection();
        // They return in the order 0, 2, 1.
        const Lease second = std::move(leases[1]);
        leases.clear();
    }
    EXPECT_EQ(&pool.borrow(in(30s)).connection(), last);
    EXPECT_EQ(&pool.borrow(in(30s)).connection(), last);
    EXPECT_EQ(server_.connections(), 3);
}

TEST_F(Pool, ConnectsOnlyWhileNoneIsIdleAndUpToTheMaximum) {
    ConnectionPool pool(settings(), 2, log_);
    for (int i = 0; i < 10; ++i) {
        ask(pool);
    }
    EXPECT_EQ(server_.connections(), 1);
    const std::vector<Lease> leases = borrow(pool, 2);
    EXPECT_THROW(static_cast<void>(pool.borrow(in(10ms))), DatabaseError);
    EXPECT_EQ(server_.connections(), 2);
}

TEST_F(Pool, WaitingRequestsAreServedInOrder) {
    ConnectionPool pool(settings(), 1, log_);
    std::optional<Lease> held(pool.borrow(in(30s)));
    std::mutex mutex;
    std::vector<int> served;
    std::vector<std::jthread> waiting;
    for (int i = 0; i < 8; ++i) {
        std::promise<pid_t> begun;
        waiting.emplace_back([&, i, begun = &begun] {
            begun->set_value(::gettid());
            const Lease lease = pool.borrow(in(30s));
            const std::lock_guard lock(mutex);
            served.push_back(i);
        });
        const std::string state =
            "/proc/self/task/" + std::to_string(begun.get_future().get()) + "/wchan";
        await("the thread waits", [&] {
            std::ifstream file(state);
            std::string where;
            std::getline(file, where);
            return where.find("futex") != std::string::npos;
        });
    }
    held.reset();
    waiting.clear();
    EXPECT_EQ(served, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(Pool, ManyThreadsShareFewConnections) {
    constexpr int kThreads = 16;
    limit_to(2);
    ConnectionPool pool(settings(), kThreads, log_);
    std::atomic<int> answers = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (int j = 0; j < 100; ++j) {
                ask(pool);
                ++answers;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(answers, kThreads * 100);
    EXPECT_EQ(lines_of("database_connections_limited"), 1) << logged_.text();
    EXPECT_EQ(lines_of("database_lost"), 0) << logged_.text();
    EXPECT_NE(logged_.text().find("level=warning connections=2 sqlstate=53300 reason=\""),
              std::string::npos)
        << logged_.text();
}

TEST_F(Pool, WhenTheServerAcceptsMoreAgainThePoolGrowsAndLogsItOnce) {
    limit_to(1);
    ConnectionPool pool(settings(), 2, log_);
    std::optional<Lease> first(pool.borrow(in(30s)));
    std::future<Lease> second =
        std::async(std::launch::async, [&] { return pool.borrow(in(60s)); });
    await("it is logged", [&] { return lines_of("database_connections_limited") == 1; });
    limit_to(2);
    {
        const Lease another = second.get();
        EXPECT_TRUE(another.is_new());
    }
    await("it is logged", [&] {
        ask(pool);
        return lines_of("database_connections_unlimited") == 1;
    });
    EXPECT_EQ(lines_of("database_connections_limited"), 1) << logged_.text();
    EXPECT_EQ(lines_of("database_lost"), 0) << logged_.text();
}

TEST_F(Pool, RequestsAreServedWhileAConnectHangs) {
    limit_to(2, "");
    constexpr int kThreads = 4;
    ConnectionPool pool(settings(2s), kThreads, log_);
    std::atomic<bool> done = false;
    std::atomic<int> failures = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            while (!done) {
                try {
                    ask(pool, 30s);
                } catch (const DatabaseError&) {
                    ++failures;
                }
            }
        });
    }
    await("it is logged", [&] { return lines_of("database_connections_limited") == 1; });
    done = true;
    threads.clear();
    EXPECT_EQ(failures, 0) << logged_.text();
    EXPECT_EQ(lines_of("database_lost"), 0) << logged_.text();
}

TEST_F(Pool, ASlotThatTheServerFreesLateIsNoLoss) {
    ConnectionPool pool(settings(), 1, log_);
    ask(pool);
    limit_to(1);
    server_.end_connections();
    std::future<void> asked = std::async(std::launch::async, [&] { ask(pool); });
    await("another one is refused", [&] { return server_.connections() == 2; });
    limit_to(2);
    EXPECT_NO_THROW(asked.get());
    EXPECT_EQ(lines_of("database_lost"), 0) << logged_.text();
}

TEST_F(Pool, WithoutAnyConnectionTheDatabaseIsDownAndEachReasonIsLoggedOnce) {
    limit_to(0);
    ConnectionPool pool(settings(), 4, log_);
    EXPECT_THROW(ask(pool), DatabaseError);
    const int before = server_.connections();
    for (int i = 0; i < 1000; ++i) {
        EXPECT_THROW(ask(pool), DatabaseError);
    }
    EXPECT_LT(server_.connections() - before, 500);  // the pool refuses, not the server
    await("it is logged", [&] { return lines_of("database_lost") == 1; });
    EXPECT_NE(logged_.text().find("sqlstate=53300"), std::string::npos) << logged_.text();
    limit_to(1000);
    await("the database is back", [&] {
        try {
            ask(pool);
            return true;
        } catch (const DatabaseError&) {
            return false;
        }
    });
    EXPECT_EQ(lines_of("database_back"), 1) << logged_.text();
    EXPECT_EQ(lines_of("database_connections_limited"), 0) << logged_.text();
}

TEST_F(Pool, ConnectionsThatEndWhileIdleAreReplacedWithoutAnError) {
    ConnectionPool pool(settings(), 8, log_);
    borrow(pool, 8).clear();
    server_.end_connections();
    await("all have ended", [&] { return server_.open_connections() == 0; });
    ask(pool);
    EXPECT_EQ(server_.connections(), 9);
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Pool, AStatementThatLosesItsConnectionIsRepeatedOnTwoNewOnesAtMost) {
    ConnectionPool pool(settings(), 1, log_);
    ask(pool);
    answer_execute({.once = "", .close = true});
    EXPECT_THROW(ask(pool), DatabaseError);
    EXPECT_EQ(server_.count_requests(Request::Kind::execute, "statement"), 4);
    EXPECT_EQ(lines_of("database_lost"), 1) << logged_.text();
    answer_execute(test::HostileServer::honest({Request::Kind::execute, ""}));
    ask(pool);
    EXPECT_EQ(lines_of("database_back"), 1) << logged_.text();
}

TEST_F(Pool, ASlowStatementBesideAnsweredOnesStartsNoProbe) {
    ConnectionPool pool(settings(), 2, log_);
    borrow(pool, 2).clear();
    ask(pool);
    answer_execute({""});
    EXPECT_THROW(ask(pool, 50ms), DatabaseError);
    answer_execute(test::HostileServer::honest({Request::Kind::execute, ""}));
    ask(pool);
    EXPECT_EQ(server_.count_requests(Request::Kind::ping), 0);
    EXPECT_EQ(server_.connections(), 2);
}

TEST_F(Pool, ASilentServerIsProbedOnAnIdleConnection) {
    ConnectionPool pool(settings(), 2, log_);
    borrow(pool, 2).clear();
    answer_execute({""});
    EXPECT_THROW(ask(pool, 1500ms), DatabaseError);
    await("the idle one is probed",
          [&] { return server_.count_requests(Request::Kind::ping) == 1; });
    answer_execute(test::HostileServer::honest({Request::Kind::execute, ""}));
    ask(pool);
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Pool, AnUnansweredProbeIsRepeatedOnANewConnection) {
    ConnectionPool pool(settings(), 3, log_);
    borrow(pool, 3).clear();
    ping_ = {""};
    answer_execute({""});
    EXPECT_THROW(ask(pool, 1500ms), DatabaseError);
    await("a new one is made", [&] { return server_.connections() == 4; });
    answer_execute(test::HostileServer::honest({Request::Kind::execute, ""}));
    ask(pool);
    await("the others are closed", [&] { return server_.open_connections() == 1; });
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Pool, IdleConnectionsAreClosedDownToOne) {
    const PoolTimes short_times = {
        .max_idle = 20ms, .max_lifetime = 1h, .maintenance_interval = 10ms};
    ConnectionPool pool(settings(), 4, log_, short_times);
    borrow(pool, 4).clear();
    await("one is left", [&] { return server_.open_connections() == 1; });
    EXPECT_FALSE(pool.borrow(in(30s)).is_new());
}

TEST_F(Pool, AConnectionIsReplacedAtTheEndOfItsLifetime) {
    const PoolTimes short_times = {
        .max_idle = 1h, .max_lifetime = 20ms, .maintenance_interval = 10ms};
    ConnectionPool pool(settings(), 1, log_, short_times);
    ask(pool);
    await("two were replaced", [&] { return server_.connections() >= 3; });
    ask(pool);
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Pool, NoMoreThanEightReasonsAreLogged) {
    ConnectionPool pool(settings(), 1, log_);
    for (int i = 0; i < 100; ++i) {
        pool.note_failure({DatabaseError::Kind::unreachable, "", "reason " + std::to_string(i)});
    }
    EXPECT_EQ(lines_of("database_lost"), 8);
}

TEST_F(Pool, EachHostsReasonIsLoggedOnce) {
    ConnectionPool pool(settings(), 1, log_);
    pool.note_failure({DatabaseError::Kind::unreachable, "", "one\ntwo"});
    pool.note_failure({DatabaseError::Kind::unreachable, "", "two\nthree"});
    EXPECT_EQ(lines_of("database_lost"), 3);
}

TEST_F(Pool, AnErrorOfOneRequestIsNoLoss) {
    using Kind = DatabaseError::Kind;
    ConnectionPool pool(settings(), 1, log_);
    for (const Kind kind :
         {Kind::timed_out, Kind::conflict, Kind::abandoned, Kind::untranslatable}) {
        pool.note_failure({kind, "40001", "reason"});
    }
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Pool, AConnectUnderWayEndsAtOnceWithThePool) {
    limit_to(0, "");
    {
        ConnectionPool pool(settings(1h), 1, log_);
        EXPECT_THROW(ask(pool, 10ms), DatabaseError);
        await("a connect is under way", [&] { return server_.open_connections() == 1; });
    }
    await("it is closed", [&] { return server_.open_connections() == 0; });
    EXPECT_EQ(logged_.text(), "");
}

TEST_F(Pool, AServerThatIsTooOldIsLoggedAsSuch) {
    ConnectionPool pool(settings(), 1, log_);
    {
        const std::lock_guard lock(mutex_);
        version_ = "11.22";
    }
    EXPECT_THROW(ask(pool), DatabaseError);
    await("it is logged", [&] {
        return logged_.text().find(
                   "reason=\"the server is PostgreSQL 11: too old, 12 or later is "
                   "required\"") != std::string::npos;
    });
}

}  // namespace
}  // namespace kheops
