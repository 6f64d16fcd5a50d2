// SPDX-License-Identifier: MIT

// A database server that breaks the protocol or never ends its answer: the worker answers every
// request in time and closes the connection. Also server errors that are hard to provoke.

#include <gtest/gtest.h>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>

#include "database/connect.hpp"
#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/hostile_server.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

using namespace std::chrono_literals;
using Request = HostileServer::Request;
using Reply = HostileServer::Reply;

constexpr const char* kPlain = "list_webhooks";
constexpr const char* kFast = "list_webhooks_accelerated";

// Some columns of sql/list_webhooks.sql.
constexpr size_t kUserKnown = 0;
constexpr size_t kTotal = 3;
constexpr size_t kId = 4;
constexpr size_t kNumberOfTriggers = 13;
constexpr size_t kIds = 14;
constexpr size_t kPasses = 15;
constexpr size_t kAccelerated = 16;

class HostileDatabase : public testing::Test {
  protected:
    [[nodiscard]] Settings settings(const std::string& timeout) const {
        return {{"KHEOPS_WEBHOOKS_DATABASE", server_.conninfo()},
                {"KHEOPS_WEBHOOKS_THREADS", "1"},
                {"KHEOPS_WEBHOOKS_TIMEOUT", timeout}};
    }

    /// From now on the server answers questions of `kind` with `reply`, the others correctly.
    void answer(Request::Kind kind, const Reply& reply) {
        const std::lock_guard lock(mutex_);
        script_ = [kind, reply](const Request& request) {
            return request.kind == kind ? reply : HostileServer::honest(request);
        };
    }
    void answer(const HostileServer::Script& script) {
        const std::lock_guard lock(mutex_);
        script_ = script;
    }

    /// Sends a request; returns the status of the answer, which may take 30 s.
    static int ask(const TestWorker& worker, std::string* answer = nullptr) {
        FastCgiClient client(worker.socket_path());
        client.send(fastcgi_request(
            get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), false));
        const std::string received = client.receive_answer();
        if (answer != nullptr) {
            *answer = received;
        }
        return status_of(received);
    }

    /// From now on the server answers correctly, and the worker must serve the list again.
    void expect_recovery(const TestWorker& worker) {
        answer(HostileServer::honest);
        await("the list is served", [&] { return ask(worker) == 200; });
        await("only its connection is open", [&] { return server_.open_connections() == 1; });
    }

    std::mutex mutex_;
    HostileServer::Script script_ = HostileServer::honest;
    HostileServer server_{[this](const Request& request) {
        const std::lock_guard lock(mutex_);
        return script_(request);
    }};
};

TEST_F(HostileDatabase, InvalidAnswersGet503AndAreLogged) {
    using Row = std::vector<std::optional<std::string>>;
    const auto with = [](size_t column, const std::optional<std::string>& value) {
        Row row = HostileServer::honest_row();
        row.at(column) = value;
        return row;
    };
    const auto array = [](std::int64_t dimensions, std::int64_t length, const std::string& rest) {
        return pg_integer(dimensions, 4) + pg_integer(0, 4) + pg_integer(25, 4) +
               (dimensions == 0 ? "" : pg_integer(length, 4) + pg_integer(1, 4)) + rest;
    };
    const std::string element = pg_integer(1, 4) + "t";
    Row narrow = HostileServer::honest_row();
    narrow.pop_back();
    const std::string copy = std::string(1, '\0') + pg_integer(0, 2);
    const std::map<std::string, std::string> answers = {
        {"COPY out", pg_message('2') + pg_message('H', copy)},
        {"COPY in", pg_message('2') + pg_message('G', copy)},
        {"COPY both", pg_message('2') + pg_message('W', copy)},
        {"an empty query", pg_message('2') + pg_message('I') + pg_ready()},
        {"no rows", pg_message('2') + pg_complete() + pg_ready()},
        {"zero rows", HostileServer::rows({})},
        {"two answers", pg_message('2') + pg_columns(17) + pg_row(HostileServer::honest_row()) +
                            pg_complete() + pg_columns(17) + pg_row(HostileServer::honest_row()) +
                            pg_complete() + pg_ready()},
        {"nothing", pg_ready()},
        {"a message of no type", "\n\n\n\n\n\n\n\n\n"},
        {"a message of a negative size", "D" + pg_integer(-1, 4)},
        {"a column too few",
         pg_message('2') + pg_columns(16) + pg_row(narrow) + pg_complete() + pg_ready()},
        {"a value too few", HostileServer::rows({narrow})},
        {"a null in place of a boolean", HostileServer::rows({with(kUserKnown, std::nullopt)})},
        {"a webhook without an id",
         HostileServer::rows({HostileServer::honest_row(), with(kId, std::nullopt)})},
        {"a boolean of two octets", HostileServer::rows({with(kUserKnown, "tt")})},
        {"an empty boolean", HostileServer::rows({with(kUserKnown, "")})},
        {"a short total", HostileServer::rows({with(kTotal, "1234")})},
        {"a long total", HostileServer::rows({with(kTotal, pg_integer(1, 8) + "1")})},
        {"a negative total", HostileServer::rows({with(kTotal, pg_integer(-1, 8))})},
        {"a negative count", HostileServer::rows({with(kNumberOfTriggers, pg_integer(-5, 8))})},
        {"an array of negative length", HostileServer::rows({with(kIds, array(1, -1, ""))})},
        {"an array that is longer than it says",
         HostileServer::rows({with(kIds, array(1, 0, element))})},
        {"an array that is shorter than it says",
         HostileServer::rows({with(kIds, array(1, 2147483647, element))})},
        {"an array of two dimensions", HostileServer::rows({with(kIds, array(2, 1, element))})},
        {"an array of negative dimensions",
         HostileServer::rows({with(kIds, array(-1, 1, element))})},
        {"an array of no dimension with more",
         HostileServer::rows({with(kIds, array(0, 0, element))})},
        {"an array with a null", HostileServer::rows({with(kIds, array(1, 1, pg_integer(-1, 4)))})},
        {"an empty array", HostileServer::rows({with(kIds, "")})},
        {"arrays of two lengths", HostileServer::rows({with(kPasses, array(0, 0, ""))})},
        {"only one of two arrays", HostileServer::rows({with(kPasses, std::nullopt)})},
    };
    TestWorker worker(settings("5"));
    for (const auto& [what, octets] : answers) {
        answer(Request::Kind::execute, {octets});
        std::string received;
        EXPECT_EQ(ask(worker, &received), 503) << what;
        EXPECT_NE(received.find("The database cannot be reached"), std::string::npos) << received;
        await("the connections are closed", [&] { return server_.open_connections() == 0; });
        expect_recovery(worker);
    }
    const std::string log = worker.log();
    for (const char* reason :
         {"PGRES_COPY_OUT", "PGRES_COPY_IN", "PGRES_COPY_BOTH", "more than one answer"}) {
        EXPECT_NE(log.find(reason), std::string::npos) << log;
    }
    EXPECT_NE(log.find("event=database_lost level=error sqlstate=08P01 reason=\"the server broke "
                       "the protocol: expected a count that is not negative\""),
              std::string::npos)
        << log;
    EXPECT_EQ(log.find("event=fault"), std::string::npos) << log;
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
}

TEST_F(HostileDatabase, EndlessAnswersAreNotWaitedForBeyondTheBudget) {
    const std::string notice =
        pg_message('N', std::string("SNOTICE\0C00000\0Mhello\0", 22) + std::string(1, '\0'));
    std::string many;
    while (many.size() < 100000) {
        many += notice;
    }
    const std::string status = pg_message('S', std::string("a\0b\0", 4));
    const std::string row = pg_row(HostileServer::honest_row());
    const std::map<std::string, Reply> answers = {
        {"silence", {""}},
        {"notices", {"", notice}},
        {"notices, all the time", {"", many}},
        {"parameters", {"", status}},
        {"rows", {pg_message('2') + pg_columns(17), row, 1ms}},
        {"octets of a row",
         {pg_message('2') + pg_columns(17) + "D" + pg_integer(1 << 20, 4), "x", 20ms}},
        {"errors", {"", pg_error("XX000", "again")}},
    };
    for (const Request::Kind kind : {Request::Kind::startup, Request::Kind::session,
                                     Request::Kind::prepare, Request::Kind::execute}) {
        answer(HostileServer::honest);
        TestWorker worker(settings("0.5"));
        for (const auto& [what, reply] : answers) {
            server_.end_connections();  // the next one begins with a startup
            const bool startup = kind == Request::Kind::startup;
            const bool connecting = startup || kind == Request::Kind::session;
            answer(kind, {(startup ? pg_message('R', pg_integer(0, 4)) : "") + reply.once,
                          reply.repeated, reply.pause});
            std::string received;
            EXPECT_EQ(ask(worker, &received), 503) << what << " to " << static_cast<int>(kind);
            // If the connect times out first, the answer has another message.
            if (!connecting) {
                EXPECT_NE(received.find("The database did not answer in time"), std::string::npos)
                    << what << " to " << static_cast<int>(kind) << received;
            }
            expect_recovery(worker);
        }
        worker.signal(SIGTERM);
        EXPECT_EQ(worker.exit_status(), 0);
    }
}

/// How many octets this process can read on its only connection to the Unix socket `path`.
int octets_waiting(const std::string& path) {
    int waiting = 0;
    for (int descriptor = 0; descriptor < 256; ++descriptor) {
        sockaddr_un peer = {};
        socklen_t size = sizeof peer;
        if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
            peer.sun_family == AF_UNIX && path == static_cast<const char*>(peer.sun_path)) {
            ::ioctl(descriptor, FIONREAD, &waiting);
        }
    }
    return waiting;
}

TEST_F(HostileDatabase, ReceivedAnswerIsNotReadAfterTheDeadline) {
    std::string notices;
    while (notices.size() < 100000) {
        notices += pg_message('N', std::string("SNOTICE\0C00000\0Mhello\0\0", 23));
    }
    const std::string rows = HostileServer::rows({HostileServer::honest_row()});
    answer(Request::Kind::execute, {rows + notices + rows});
    DatabaseSettings settings;
    settings.connection = server_.conninfo();
    const auto connection = connect(settings, Deadline(Clock::now() + 30s));
    constexpr Statement kStatement = {"statement", "SELECT"};
    const auto query = [&](std::chrono::seconds budget) {
        connection->run(kStatement, {}, Deadline(Clock::now() + budget), [](const Result&) {});
    };
    query(30s);
    await("the next answer has come before the request",
          [&] { return octets_waiting(server_.socket_path()) > 50000; });
    try {
        query(0s);
        FAIL() << "answered after the deadline";
    } catch (const DatabaseError& error) {
        EXPECT_EQ(error.kind(), DatabaseError::Kind::timed_out);
    }
}

TEST_F(HostileDatabase, ProbeOfASilentServerEndsAtOnceOnSigterm) {
    answer(Request::Kind::startup, {pg_error("57P03", "starting up", "FATAL")});
    TestWorker worker(settings("300"));
    EXPECT_EQ(ask(worker), 503);
    answer(Request::Kind::startup, {""});
    // Three probes of four end after 1.5 s, the fourth after a request's budget.
    await("a long probe is under way", [&] { return server_.age_of_last_connection() > 2s; });
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
}

TEST_F(HostileDatabase, MissingPreparedStatementIsPreparedOnANewConnection) {
    TestWorker worker(settings("30"));
    EXPECT_EQ(ask(worker), 200);
    int left = 1;
    answer([&left](const Request& request) -> Reply {
        if (request.kind == Request::Kind::execute && left-- > 0) {
            return {pg_error("26000", "prepared statement does not exist") + pg_ready()};
        }
        return HostileServer::honest(request);
    });
    EXPECT_EQ(ask(worker), 200);
    EXPECT_EQ(server_.connections(), 2);
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

TEST_F(HostileDatabase, StatementInConflictIsRepeatedOnceOnTheSameConnection) {
    TestWorker worker(settings("30"));
    for (const char* sqlstate : {"40001", "40P01"}) {
        int left = 1;
        answer([&left, sqlstate](const Request& request) -> Reply {
            if (request.kind == Request::Kind::execute && left-- > 0) {
                return {pg_error(sqlstate, "conflict") + pg_ready()};
            }
            return HostileServer::honest(request);
        });
        EXPECT_EQ(ask(worker), 200);
    }
    answer(Request::Kind::execute, {pg_error("40001", "conflict") + pg_ready()});
    const int before = server_.count_requests(Request::Kind::execute, kPlain);
    EXPECT_EQ(ask(worker), 503);
    EXPECT_EQ(server_.count_requests(Request::Kind::execute, kPlain), before + 2);
    EXPECT_EQ(server_.connections(), 1);
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

TEST_F(HostileDatabase, StatementIsRepeatedOnceOnANewConnectionIfAConflictClosesTheOld) {
    TestWorker worker(settings("30"));
    EXPECT_EQ(ask(worker), 200);
    int left = 1;
    answer([&left](const Request& request) -> Reply {
        if (request.kind == Request::Kind::execute && left-- > 0) {
            return {.once = pg_error("40001", "conflict", "FATAL"), .close = true};
        }
        return HostileServer::honest(request);
    });
    EXPECT_EQ(ask(worker), 200) << worker.log();
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

TEST_F(HostileDatabase, ConnectionIsReusedAfterATimeoutOfTheServer) {
    TestWorker worker(settings("30"));
    for (const char* sqlstate : {"57014", "55P03"}) {
        answer(Request::Kind::execute, {pg_error(sqlstate, "too late") + pg_ready()});
        std::string received;
        EXPECT_EQ(ask(worker, &received), 503);
        EXPECT_NE(received.find("The database did not answer in time"), std::string::npos);
    }
    EXPECT_EQ(server_.connections(), 1);
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

TEST_F(HostileDatabase, ServersMessageIsLoggedOnlyIfItHoldsNoValue) {
    TestWorker worker(settings("30"));
    for (const char* sqlstate : {"42501", "3D000", "3F000", "28000", "53200"}) {
        const std::string reason = std::string("reason-of-") + sqlstate;
        answer(Request::Kind::execute, {pg_error(sqlstate, reason) + pg_ready()});
        EXPECT_EQ(ask(worker), 503);
        worker.await_log("event=database_lost level=error sqlstate=" + std::string(sqlstate) +
                         " reason=" + reason);
    }
    answer(Request::Kind::execute, {pg_error("22P02", "a-value") + pg_ready()});
    EXPECT_EQ(ask(worker), 503);
    worker.await_log("sqlstate=22P02 reason=\"the statement failed\"");
    EXPECT_EQ(worker.log().find("a-value"), std::string::npos) << worker.log();
}

TEST_F(HostileDatabase, AcceleratedStatementIsSentOnlyWhileItsCountIsValid) {
    const auto row = [](std::int64_t accelerated, std::int64_t total) {
        auto values = HostileServer::honest_row();
        values.at(kTotal) = pg_integer(total, 8);
        values.at(kAccelerated) = pg_integer(accelerated, 8);
        return values;
    };
    std::atomic<int> named = 1;  // the count that the plain statement finds
    std::atomic<bool> in_force = true;
    std::atomic<bool> exists = true;
    answer([&](const Request& request) -> Reply {
        const bool fast = request.statement == kFast;
        if (fast && !exists) {
            return {pg_error("42P01", "relation does not exist") + pg_ready()};
        }
        return request.kind == Request::Kind::execute
                   ? Reply{HostileServer::rows(
                         {row(fast && !in_force ? 0 : named.load(), fast ? 111 : 222)})}
                   : HostileServer::honest(request);
    });
    TestWorker worker(settings("30"));
    const auto expect = [&](int total, int times_fast) {
        std::string received;
        EXPECT_EQ(ask(worker, &received), 200) << received;
        EXPECT_NE(received.find("X-Total-Count: " + std::to_string(total) + "\r\n"),
                  std::string::npos)
            << received;
        EXPECT_EQ(server_.count_requests(Request::Kind::prepare, kFast) +
                      server_.count_requests(Request::Kind::execute, kFast),
                  times_fast);
    };
    expect(222, 0);
    expect(111, 2);
    expect(111, 3);
    in_force = false;  // its count is reported as invalid
    expect(222, 4);
    expect(222, 4);
    in_force = true;  // an invalid count is not queried again
    expect(222, 4);
    expect(222, 4);
    named = 2;
    expect(222, 4);
    expect(111, 5);
    exists = false;  // accelerate.sql is undone
    named = 0;
    expect(222, 6);
    expect(222, 6);
    named = 3;  // of an earlier version: the statement fails
    expect(222, 6);
    expect(222, 7);
    expect(222, 7);
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

}  // namespace
}  // namespace kheops::test
