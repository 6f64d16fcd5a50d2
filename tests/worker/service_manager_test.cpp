// SPDX-License-Identifier: MIT

// What the worker reports to a service manager such as systemd: readiness, stop and watchdog pings.

#include <gtest/gtest.h>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/notify_socket.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

TEST(ServiceManager, IsNotifiedOfReadinessAndOfTheStop) {
    const TemporaryDirectory directory;
    NotifySocket socket(directory.file("notify"));
    TestWorker worker(
        Settings{{"NOTIFY_SOCKET", directory.file("notify")}, {"KHEOPS_WEBHOOKS_TIMEOUT", "40"}});
    EXPECT_EQ(socket.receive(), "READY=1");
    worker.restart();
    // The budget of 40 s, and 5 s to end.
    EXPECT_EQ(socket.receive(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000");
    EXPECT_EQ(socket.receive(), "READY=1");
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
    EXPECT_EQ(socket.receive(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000");
    EXPECT_EQ(socket.receive_now(), "");
}

TEST(ServiceManager, WatchdogIsPingedWhileTheWorkerIsIdle) {
    const TemporaryDirectory directory;
    NotifySocket socket(directory.file("notify"));
    TestWorker worker(
        Settings{{"NOTIFY_SOCKET", directory.file("notify")}, {"WATCHDOG_USEC", "100000"}});
    EXPECT_EQ(socket.receive(), "READY=1");
    for (int i = 0; i < 5; ++i) {  // without a request
        EXPECT_EQ(socket.receive(), "WATCHDOG=1");
    }
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
}

/// Stops one thread of a child process, as a debugger does, until this is destroyed.
class StoppedThread {
  public:
    explicit StoppedThread(pid_t thread) : thread_(thread) {
        if (::ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0 ||
            ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) != 0 ||
            ::waitpid(thread_, nullptr, __WALL) != thread_) {
            throw std::system_error(errno, std::generic_category(), "stop a thread");
        }
    }
    ~StoppedThread() { ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr); }
    StoppedThread(const StoppedThread&) = delete;
    StoppedThread& operator=(const StoppedThread&) = delete;

  private:
    pid_t thread_;
};

/// The only serving thread of a worker. The worker starts two threads after it: the refusing one
/// and the operator's.
pid_t serving_thread(const TestWorker& worker) {
    std::vector<pid_t> threads;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(worker.pid()) + "/task")) {
        threads.push_back(std::stoi(task.path().filename()));
    }
    std::sort(threads.begin(), threads.end());
    return threads.at(threads.size() - 3);
}

// A thread that hangs for ever is a fault of the program or of the machine.
TEST(ServiceManager, StuckThreadsRefuseRequestsAndStopTheWatchdogPings) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root may stop a thread of a program without core dumps";
    }
    TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
    const TemporaryDirectory directory;
    NotifySocket socket(directory.file("notify"));
    TestWorker worker(Settings{{"KHEOPS_WEBHOOKS_DATABASE", database.conninfo()},
                               {"KHEOPS_WEBHOOKS_THREADS", "1"},
                               {"KHEOPS_WEBHOOKS_TIMEOUT", "2"},
                               {"NOTIFY_SOCKET", directory.file("notify")},
                               {"WATCHDOG_USEC", "100000"}});
    worker.await_log("event=started");
    const std::string request = fastcgi_request(get_parameters(kList, mint_token("alice")), true);
    FastCgiClient stuck(worker.socket_path());
    const auto lock = database.lock_table("webhooks");
    stuck.send(request);
    database.await_waiting_backend();
    std::optional<StoppedThread> stopped(serving_thread(worker));
    lock->release();
    stuck.await_close();

    FastCgiClient waiting(worker.socket_path());
    waiting.send(request);
    EXPECT_EQ(status_of(waiting.receive_answer()), 503) << worker.log();
    EXPECT_NE(worker.log().find("detail=\"All threads are busy\""), std::string::npos);

    const auto is_silent = [&socket] {
        while (!socket.receive_now().empty()) {
        }
        std::this_thread::sleep_for(std::chrono::seconds(1));  // ten times the interval
        return socket.receive_now().empty();
    };
    await("the worker sends no watchdog pings", is_silent);

    stopped.reset();
    await("the worker sends watchdog pings again",
          [&socket] { return socket.receive_now() == "WATCHDOG=1"; });
    await("the list is served, " + worker.log(), [&] {
        waiting.send(request);
        return status_of(waiting.receive_answer()) == 200;
    });
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0) << worker.log();
}

}  // namespace
}  // namespace kheops::test
