// SPDX-License-Identifier: MIT

// The worker starts and stops, and a connection holds a thread only while it has a request.

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

/// A worker with the example data and only two threads, so that a test fails if one hangs.
class Lifecycle : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        // Both this process and the worker hold more connections than the usual limit allows.
        rlimit descriptors = {};
        ::getrlimit(RLIMIT_NOFILE, &descriptors);
        descriptors.rlim_cur = descriptors.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &descriptors);
        database_ = std::make_unique<TestDatabase>(
            std::vector<std::string>{"sql/schema.sql", "sql/example-data.sql"});
    }
    static void TearDownTestSuite() { database_.reset(); }

    Lifecycle()
        : worker_({{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo()},
                   {"KHEOPS_WEBHOOKS_THREADS", "2"},
                   {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}}) {}

    static std::string request(bool keep, const std::string& body = "") {
        return fastcgi_request(get_parameters(kList, mint_token("alice")), keep, body);
    }

    void expect_served(FastCgiClient& client, bool keep = true) {
        client.send(request(keep));
        EXPECT_EQ(status_of(client.receive_answer()), 200) << worker_.log();
    }

    /// An idle thread waits for 3 ms on the connection that it answered last. After this call no
    /// thread waits on another connection.
    void move_threads_to(FastCgiClient& client) {
        for (int i = 0; i < 5; ++i) {
            expect_served(client);
        }
    }

    void expect_clean_stop() { EXPECT_EQ(worker_.exit_status(), 0) << worker_.log(); }

    static std::unique_ptr<TestDatabase> database_;
    TestWorker worker_;
};

std::unique_ptr<TestDatabase> Lifecycle::database_;

TEST_F(Lifecycle, StopsWhenIdle) {
    worker_.await_log("event=started");
    worker_.signal(SIGTERM);
    expect_clean_stop();
    EXPECT_NE(worker_.log().find("event=stopped"), std::string::npos);
}

TEST_F(Lifecycle, StopsOnInterrupt) {
    worker_.await_log("event=started");
    worker_.signal(SIGINT);
    expect_clean_stop();
}

// The signal comes when libfcgi installs its handler, which only records the signal.
TEST_F(Lifecycle, StopsOnASignalDuringItsStart) {
    TestWorker worker(Settings{{"STOP_AT_START", "1"}}, WorkerBuild::short_times);
    EXPECT_EQ(worker.exit_status(), 0) << worker.log();
    EXPECT_NE(worker.log().find("event=stopped"), std::string::npos);
}

TEST_F(Lifecycle, StopsWithIdleKeptConnections) {
    FastCgiClient first(worker_.socket_path());
    FastCgiClient second(worker_.socket_path());
    FastCgiClient third(worker_.socket_path());
    for (FastCgiClient* client : {&first, &second, &third}) {
        expect_served(*client);
    }
    worker_.signal(SIGTERM);
    expect_clean_stop();
    first.await_close();
}

TEST_F(Lifecycle, StopsWithAConnectionThatItHasNotAcceptedYet) {
    worker_.await_log("event=started");
    worker_.signal(SIGSTOP);
    const FastCgiClient client(worker_.socket_path());
    worker_.signal(SIGTERM);
    worker_.signal(SIGCONT);
    expect_clean_stop();
}

TEST_F(Lifecycle, StopsWithoutWaitingForSilentOrSendingPeers) {
    TestWorker worker(
        {{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo()}, {"KHEOPS_WEBHOOKS_TIMEOUT", "300"}});
    const FastCgiClient silent(worker.socket_path());
    FastCgiClient sending(worker.socket_path());
    const std::string octets = request(true, std::string(100'000, 'b'));
    sending.send(octets.substr(0, octets.size() / 2));
    EXPECT_EQ(status_of(sending.receive_answer()), 200) << worker.log();
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0) << worker.log();
}

TEST_F(Lifecycle, FinishesTheCurrentRequestBeforeItStops) {
    for (const bool keep : {true, false}) {
        TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo()},
                           {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}});
        FastCgiClient client(worker.socket_path());
        const auto lock = database_->lock_table("webhooks");
        client.send(request(keep));
        database_->await_waiting_backend();
        worker.signal(SIGTERM);
        // The worker closes its listening socket at once, and still answers this request.
        EXPECT_TRUE(worker.is_running());
        lock->release();
        EXPECT_EQ(status_of(client.receive_answer()), 200) << worker.log();
        EXPECT_EQ(worker.exit_status(), 0) << worker.log();
    }
}

TEST_F(Lifecycle, FinishesARequestWhoseRestComesAfterTheSignal) {
    worker_.await_log("event=started");
    FastCgiClient client(worker_.socket_path());
    FastCgiClient silent(worker_.socket_path());
    const std::string octets = request(true);
    client.send(octets.substr(0, 40));
    expect_served(silent);  // so the worker has seen the first part
    worker_.signal(SIGTERM);
    silent.await_close();  // and has seen the signal
    client.send(octets.substr(40));
    EXPECT_EQ(status_of(client.receive_answer()), 200) << worker_.log();
    expect_clean_stop();
}

TEST_F(Lifecycle, FinishesARequestThatComesOnAKeptConnectionWithTheSignal) {
    FastCgiClient client(worker_.socket_path());
    FastCgiClient other(worker_.socket_path());
    expect_served(client);
    move_threads_to(other);
    worker_.signal(SIGSTOP);
    await("the worker is stopped", [this] {
        const std::string status = read_file("/proc/" + std::to_string(worker_.pid()) + "/status");
        return status.find("State:\tT") != std::string::npos;
    });
    worker_.signal(SIGTERM);
    client.send(request(true));
    worker_.signal(SIGCONT);
    EXPECT_EQ(status_of(client.receive_answer()), 200) << worker_.log();
    expect_clean_stop();
}

// systemd does this when it runs ExecReload=, as the unit has StandardInput=socket.
TEST_F(Lifecycle, ServesAndStopsAfterAnotherProcessHasMadeTheSocketBlock) {
    worker_.await_log("event=started");
    worker_.make_listener_block();
    FastCgiClient client(worker_.socket_path());
    expect_served(client);
    await("the socket does not block", [this] { return !worker_.listener_blocks(); });
    worker_.signal(SIGTERM);
    expect_clean_stop();
}

TEST_F(Lifecycle, ExitsWith1WhenItsListeningSocketIsLost) {
    worker_.await_log("event=started");
    worker_.shut_down_listener();
    EXPECT_EQ(worker_.exit_status(), 1);
    EXPECT_NE(worker_.log().find("event=listener_lost"), std::string::npos);
}

TEST_F(Lifecycle, SilentAndHalfSentConnectionsHoldNoThread) {
    std::vector<std::unique_ptr<FastCgiClient>> idle;
    const std::string octets = request(true);
    for (size_t i = 0; i < 60; ++i) {
        idle.push_back(std::make_unique<FastCgiClient>(worker_.socket_path()));
        idle.back()->send(octets.substr(0, i * octets.size() / 60));
    }
    FastCgiClient client(worker_.socket_path());
    for (int i = 0; i < 5; ++i) {
        expect_served(client);
    }
    // A half-sent request is answered when its rest arrives.
    idle.back()->send(octets.substr(59 * octets.size() / 60));
    EXPECT_EQ(status_of(idle.back()->receive_answer()), 200);
}

// Under little load the worker uses few database connections, and those stay warm.
TEST_F(Lifecycle, LastBusyThreadServesNext) {
    constexpr int kThreads = 8;
    TestWorker worker(
        {{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo() + " application_name=busy_last"},
         {"KHEOPS_WEBHOOKS_THREADS", std::to_string(kThreads)}});
    for (int i = 0; i < 10 * kThreads; ++i) {
        FastCgiClient client(worker.socket_path());
        client.send(request(false));
        EXPECT_EQ(status_of(client.receive_answer()), 200) << worker.log();
        client.await_close();
    }
    // Not just one: a request may come before the thread that served the last one is idle.
    const std::vector<std::string> used = database_->column(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'busy_last'");
    EXPECT_LE(std::stoi(used.at(0)), kThreads / 2);
}

TEST_F(Lifecycle, KeptConnectionsHoldNoThread) {
    std::vector<std::unique_ptr<FastCgiClient>> kept;
    for (size_t i = 0; i < 40; ++i) {
        kept.push_back(std::make_unique<FastCgiClient>(worker_.socket_path()));
        expect_served(*kept.back());
    }
    for (const auto& client : kept) {
        expect_served(*client);
        EXPECT_FALSE(client->is_closed());
    }
}

TEST_F(Lifecycle, RequestInManyPiecesIsAnswered) {
    FastCgiClient client(worker_.socket_path());
    FastCgiClient other(worker_.socket_path());
    const std::string octets = request(true);
    // The records that end the two streams are sent together: if the end of the body came later,
    // the worker would close the connection after its answer.
    const size_t ends = octets.size() - 16;
    const size_t piece = ends / 100 + 1;
    for (const char* connection : {"new", "kept"}) {
        SCOPED_TRACE(connection);
        for (size_t at = 0; at < ends; at += piece) {
            client.send(octets.substr(at, std::min(piece, ends - at)));
            if (at == 50 * piece) {
                move_threads_to(other);  // so the worker has seen the first half
            }
        }
        client.send(octets.substr(ends));
        EXPECT_EQ(status_of(client.receive_answer()), 200);
    }
    expect_served(client);
}

TEST_F(Lifecycle, IncompleteRequestIsClosedAndLoggedAfterItsBudget) {
    TestWorker worker(Settings{{"KHEOPS_WEBHOOKS_TIMEOUT", "0.2"}});
    FastCgiClient half(worker.socket_path());
    FastCgiClient silent(worker.socket_path());
    half.send(request(true).substr(0, 40));
    half.await_close();
    silent.await_close();
    worker.await_log("event=connection_closed level=warning reason=\"request not complete within");
}

TEST_F(Lifecycle, BodyIsNotTakenForTheNextRequest) {
    // libfcgi reads 8 KiB at once; most of the longer body is unread when the answer is sent.
    for (const size_t size : {size_t{3000}, size_t{20000}}) {
        FastCgiClient client(worker_.socket_path());
        client.send(request(true, std::string(size, 'b')));
        EXPECT_EQ(status_of(client.receive_answer()), 200);
        if (client.is_closed()) {
            GTEST_FAIL() << "a body of this size needs no new connection";
        }
        expect_served(client);
    }
}

TEST_F(Lifecycle, AnAnswerDoesNotWaitForALongBody) {
    for (const bool keep : {true, false}) {
        FastCgiClient client(worker_.socket_path());
        const std::string octets = request(keep, std::string(size_t{10} << 20U, 'b'));
        client.send(octets.substr(0, octets.size() / 2));
        EXPECT_EQ(status_of(client.receive_answer()), 200);
        client.send(octets.substr(octets.size() / 2));
        client.finish_sending();
        client.await_close();
    }
    FastCgiClient next(worker_.socket_path());
    expect_served(next);
}

TEST_F(Lifecycle, ConnectionClosesAfterTheAnswerWithoutKeepConn) {
    FastCgiClient client(worker_.socket_path());
    expect_served(client, false);
    client.await_close();
}

TEST_F(Lifecycle, PeerThatDoesNotCloseHoldsNoThread) {
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "1"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "8"}});
    // libfcgi would wait 2 s for each to close, and the worker would refuse most of them.
    std::vector<std::unique_ptr<FastCgiClient>> clients;
    for (size_t i = 0; i < 20; ++i) {
        clients.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
        clients.back()->send(request(false));
    }
    for (const auto& client : clients) {
        EXPECT_EQ(status_of(client->receive_answer()), 200) << worker.log();
    }
}

TEST_F(Lifecycle, MalformedRequestIsClosedAndLogged) {
    for (const std::string& octets : {std::string("GET / HTTP/1.1\r\n\r\n"), fastcgi_record(9, ""),
                                      fastcgi_record(1, "short")}) {
        FastCgiClient client(worker_.socket_path());
        client.send(octets);
        client.await_close();
    }
    worker_.await_log("event=connection_closed level=warning reason=\"not a FastCGI request\"");
    FastCgiClient next(worker_.socket_path());
    expect_served(next);
}

TEST_F(Lifecycle, ParametersOf64KiBAreRead) {
    FastCgiClient client(worker_.socket_path());
    Parameters parameters = get_parameters(kList, mint_token("alice"));
    parameters.emplace_back("HTTP_X_LONG", std::string(size_t{64} << 10U, 'x'));
    client.send(fastcgi_request(parameters, true));
    EXPECT_EQ(status_of(client.receive_answer()), 200) << worker_.log();
}

TEST_F(Lifecycle, APathWithNulIsNotFound) {
    FastCgiClient client(worker_.socket_path());
    for (const std::string& path : {std::string(kList) + '\0', std::string(kList) + '\0' + "x",
                                    std::string(1, '\0') + kList}) {
        client.send(fastcgi_request(get_parameters(path, mint_token("alice")), true));
        EXPECT_EQ(status_of(client.receive_answer()), 404);
    }
    Parameters parameters = get_parameters(kList, mint_token("alice"));
    parameters.emplace_back("QUERY_STRING", std::string("limit=1\0&offset=1", 17));
    client.send(fastcgi_request(parameters, true));
    EXPECT_EQ(status_of(client.receive_answer()), 400);
}

TEST_F(Lifecycle, ARequestWithoutItsParametersGetsAnError) {
    FastCgiClient client(worker_.socket_path());
    client.send(fastcgi_request({}, true));
    EXPECT_EQ(status_of(client.receive_answer()), 404);
    client.send(fastcgi_request({{"PATH_INFO", kList}}, true));
    EXPECT_EQ(status_of(client.receive_answer()), 405);
    client.send(fastcgi_request({{"REQUEST_METHOD", "GET"}, {"SCRIPT_NAME", kList}}, true));
    EXPECT_EQ(status_of(client.receive_answer()), 401);
}

TEST_F(Lifecycle, AThousandIdleConnectionsDelayNobody) {
    rlimit descriptors = {};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_cur < 1200) {
        GTEST_SKIP() << "this user may have " << descriptors.rlim_cur
                     << " open files, 1200 are needed";
    }
    std::vector<std::unique_ptr<FastCgiClient>> idle;
    for (size_t i = 0; i < 1100; ++i) {
        idle.push_back(std::make_unique<FastCgiClient>(worker_.socket_path()));
    }
    // Its descriptor in the worker is above 1,024, which select() could not watch.
    FastCgiClient client(worker_.socket_path());
    expect_served(client, true);
    expect_served(client, false);
    client.await_close();
    expect_served(*idle.back(), true);

    // A client that leaves breaks its connection while the worker writes the answer.
    const auto lock = database_->lock_table("webhooks");
    {
        FastCgiClient leaving(worker_.socket_path());
        leaving.send(request(true));
        database_->await_waiting_backend();
    }
    lock->release();
    expect_served(*idle.front(), true);
}

TEST_F(Lifecycle, AcceptsAgainWhenDescriptorsAreFreed) {
    rlimit before = {};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few = {.rlim_cur = 40, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);  // inherited by the worker
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "2"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}});
    ::setrlimit(RLIMIT_NOFILE, &before);

    std::vector<std::unique_ptr<FastCgiClient>> idle;
    for (size_t i = 0; i < 60; ++i) {
        idle.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
    }
    worker.await_log("event=accept_paused level=error reason=\"Too many open files\"");
    idle.clear();
    FastCgiClient client(worker.socket_path());
    client.send(request(true));
    EXPECT_EQ(status_of(client.receive_answer()), 200) << worker.log();
    EXPECT_EQ(worker.log().find("accept_paused"), worker.log().rfind("accept_paused"));
}

TEST_F(Lifecycle, ServesOnWhenClientsLeaveBeforeTheirAnswers) {
    for (int i = 0; i < 20; ++i) {
        FastCgiClient client(worker_.socket_path());
        client.send(request(i % 2 == 0));
    }
    FastCgiClient next(worker_.socket_path());
    expect_served(next);
    // Those left before the worker read their requests. These leave while they are served.
    for (const bool keep : {true, false}) {
        const auto lock = database_->lock_table("webhooks");
        {
            FastCgiClient leaving(worker_.socket_path());
            leaving.send(request(keep));
            database_->await_waiting_backend();
        }
        lock->release();
        expect_served(next);
    }
}

/// A peer that reads an answer slowly, until the connection ends.
class SlowReader {
  public:
    SlowReader(const std::string& socket_path, const std::string& request) : client_(socket_path) {
        client_.send(request);
        thread_ = std::thread([this] {
            while (client_.read_some(4096)) {
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
            }
        });
    }
    ~SlowReader() { await_end(); }
    SlowReader(const SlowReader&) = delete;
    SlowReader& operator=(const SlowReader&) = delete;

    void await_end() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }

  private:
    FastCgiClient client_;
    std::thread thread_;
};

/// An album whose list has some 4 MB, for which a SlowReader needs minutes.
class LargeAnswers : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        database_ = std::make_unique<TestDatabase>(
            std::vector<std::string>{"sql/schema.sql", "sql/example-data.sql"});
        database_->execute(
            "INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, new_series,"
            " remove_series, new_user, delete_album, album_fk) "
            "SELECT 'Many' || i, 'webhook ' || i, 'https://hooks.example/' || i, true, now(),"
            " user_fk, true, true, true, true, album_fk "
            "FROM webhooks, generate_series(1, 20000) AS i WHERE name = 'a name'");
    }
    static void TearDownTestSuite() { database_.reset(); }

    static Settings settings(const std::string& threads, const std::string& timeout) {
        return {{"KHEOPS_WEBHOOKS_DATABASE", database_->conninfo()},
                {"KHEOPS_WEBHOOKS_THREADS", threads},
                {"KHEOPS_WEBHOOKS_TIMEOUT", timeout}};
    }
    static std::string list(const std::string& query = "") {
        return fastcgi_request(get_parameters(kList + query, mint_token("alice")), true);
    }
    static void expect_served(const TestWorker& worker, const std::string& query) {
        FastCgiClient client(worker.socket_path());
        client.send(list(query));
        EXPECT_EQ(status_of(client.receive_answer()), 200) << worker.log();
    }

    static std::unique_ptr<TestDatabase> database_;
};

std::unique_ptr<TestDatabase> LargeAnswers::database_;

TEST_F(LargeAnswers, SlowReaderIsDisconnectedAfterItsBudget) {
    TestWorker worker(settings("2", "4"));
    std::vector<std::unique_ptr<SlowReader>> readers;
    for (int i = 0; i < 2; ++i) {
        readers.push_back(std::make_unique<SlowReader>(worker.socket_path(), list()));
    }
    for (const auto& reader : readers) {
        reader->await_end();
    }
    worker.await_log(
        "event=connection_closed level=warning reason=\"answer not written within the request's");
    expect_served(worker, "?limit=5");
}

TEST_F(LargeAnswers, SlowReaderDoesNotDelayTheStop) {
    TestWorker worker(settings("1", "4"));
    const SlowReader reader(worker.socket_path(), list());
    worker.await_log("status=200");
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0) << worker.log();
}

TEST_F(LargeAnswers, PeerThatDoesNotReadDelaysNoRefusal) {
    TestWorker worker(settings("1", "20"));
    // This peer sends on without reading, until the refusals fill its socket.
    FastCgiClient silent(worker.socket_path());
    const auto lock = database_->lock_table("webhooks");
    FastCgiClient held(worker.socket_path());
    held.send(list("?limit=1"));
    database_->await_waiting_backend();
    const auto refusals = [&worker] {
        const std::string log = worker.log();
        size_t count = 0;
        for (size_t at = log.find("All threads"); at != std::string::npos;
             at = log.find("All threads", at + 1)) {
            ++count;
        }
        return count;
    };
    std::vector<std::unique_ptr<FastCgiClient>> queued;
    await("requests are refused", [&] {
        queued.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
        queued.back()->send(list());
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return refusals() > 0;
    });
    for (size_t before = refusals(); !silent.is_reset(); ++before) {
        silent.send(list());
        await("the request is refused, or the connection reset",
              [&] { return refusals() > before || silent.is_reset(); });
    }
    FastCgiClient other(worker.socket_path());
    other.send(list());
    EXPECT_EQ(status_of(other.receive_answer()), 503);
    EXPECT_EQ(worker.log().find("status=200"), std::string::npos) << "the lock is still held";
    lock->release();
}

/// A size in KiB, such as "VmRSS:", in /proc/PID/status (proc(5)) of the worker.
size_t size_of(const TestWorker& worker, const std::string& name) {
    const std::string status = read_file("/proc/" + std::to_string(worker.pid()) + "/status");
    return std::stoul(status.substr(status.find(name) + name.size()));
}

TEST_F(LargeAnswers, MemoryIsReturnedToTheSystemAfterwards) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer keeps memory of its own";
#endif
    TestWorker worker(settings("8", "60"));
    expect_served(worker, "?limit=5");
    const size_t before = size_of(worker, "VmRSS:");
    std::vector<std::unique_ptr<FastCgiClient>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
        clients.back()->send(list());
    }
    for (const auto& client : clients) {
        EXPECT_EQ(status_of(client->receive_answer()), 200) << worker.log();
    }
    EXPECT_GT(size_of(worker, "VmHWM:"), before + 32 * 1024)
        << "the answers need too little for this test";
    await("the memory is returned", [&] { return size_of(worker, "VmRSS:") < before + 8 * 1024; });
}

TEST_F(LargeAnswers, WorkerSurvivesALackOfMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer takes more address space than any limit";
#endif
    TestWorker worker(settings("2", "5"));
    expect_served(worker, "?limit=5");
    const rlim_t used = size_of(worker, "VmSize:") * 1024;
    const auto limit_memory = [&worker](rlim_t octets) {
        const rlimit limit = {.rlim_cur = octets, .rlim_max = RLIM_INFINITY};
        ASSERT_EQ(::prlimit(worker.pid(), RLIMIT_AS, &limit, nullptr), 0);
    };
    // Wherever memory runs out, the request ends, with an error or without an answer.
    for (const rlim_t mebibytes : {0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32}) {
        limit_memory(used + (mebibytes << 20U));
        FastCgiClient client(worker.socket_path());
        client.send(list());
        client.finish_sending();
        client.await_close();
    }
    limit_memory(RLIM_INFINITY);
    await("a list is served again, " + worker.log(), [&worker] {
        FastCgiClient client(worker.socket_path());
        client.send(list("?limit=5"));
        return status_of(client.receive_answer()) == 200;
    });
    EXPECT_TRUE(worker.is_running());
}

// A limit of address space, or of processes, leaves no room for all threads.
TEST_F(Lifecycle, ExitsWith1WhenNotAllThreadsCanBeStarted) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer takes more address space than any limit";
#endif
    rlimit before = {};
    ::getrlimit(RLIMIT_AS, &before);
    const rlimit little = {.rlim_cur = rlim_t{1} << 30U, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_AS, &little);  // inherited by the worker
    TestWorker worker(Settings{{"KHEOPS_WEBHOOKS_THREADS", "256"}});
    ::setrlimit(RLIMIT_AS, &before);
    EXPECT_EQ(worker.exit_status(), 1) << worker.log();
    EXPECT_NE(worker.log().find("cannot be started (Resource temporarily unavailable): "
                                "KHEOPS_WEBHOOKS_THREADS is more than"),
              std::string::npos)
        << worker.log();
}

}  // namespace
}  // namespace kheops::test
