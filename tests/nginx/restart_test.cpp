// SPDX-License-Identifier: MIT

// The worker under a service manager that holds its listening socket, as systemd does with the
// units in systemd/: what it tells, and that a restart loses nothing.

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/http_client.hpp"
#include "support/notify_socket.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

TEST(Restart, FiftyUnderLoadLoseNothing) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {},
                  {{"rate=100r/s", "rate=100000r/s"}});
    const std::string url = site.nginx().url(kList);
    const HttpHeaders headers = site.authorization("alice");

    std::atomic<bool> enough = false;
    std::atomic<int> answered = 0;
    std::atomic<int> lost = 0;
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&] {
            HttpClient client;
            while (!enough) {
                const int status = client.fetch("GET", url, headers).status;
                ++(status == 200 ? answered : lost);
            }
        });
    }
    for (int restarts = 0; restarts < 50; ++restarts) {
        const int before = answered;
        await("requests are answered, or one is lost",
              [&] { return answered >= before + 10 || lost > 0; });
        EXPECT_EQ(site.worker().restart(), 0);
    }
    enough = true;
    clients.clear();
    EXPECT_EQ(lost, 0) << "of " << answered + lost << " requests\n" << site.nginx().error_log();
}

TEST(Restart, TheServiceManagerHearsOfIt) {
    const TemporaryDirectory directory;
    NotifySocket socket(directory.file("notify"));
    TestWorker worker(
        Settings{{"NOTIFY_SOCKET", directory.file("notify")}, {"KHEOPS_WEBHOOKS_TIMEOUT", "40"}});
    EXPECT_EQ(socket.receive(), "READY=1");
    worker.restart();
    // The budget, and some time to end.
    EXPECT_EQ(socket.receive(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000");
    EXPECT_EQ(socket.receive(), "READY=1");
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
    EXPECT_EQ(socket.receive(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000");
    EXPECT_EQ(socket.receive_now(), "");
}

TEST(Restart, TheWatchdogIsFedWhileItServes) {
    const TemporaryDirectory directory;
    NotifySocket socket(directory.file("notify"));
    TestWorker worker(
        Settings{{"NOTIFY_SOCKET", directory.file("notify")}, {"WATCHDOG_USEC", "100000"}});
    EXPECT_EQ(socket.receive(), "READY=1");
    for (int i = 0; i < 5; ++i) {  // nobody asks for anything
        EXPECT_EQ(socket.receive(), "WATCHDOG=1");
    }
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
}

/// A file that says how to reach the database, which libpq reads at each connect; and a way to let
/// it wait there for as long as the test likes.
class SlowServiceFile {
  public:
    explicit SlowServiceFile(std::string conninfo) {
        std::replace(conninfo.begin(), conninfo.end(), ' ', '\n');
        std::erase(conninfo, '\'');
        text_ = "[kheops]\n" + conninfo + '\n';
        write_file(path(), text_);
    }

    [[nodiscard]] std::string path() const { return directory_.file("services"); }

    /// Whoever opens the file from now on waits.
    void stop_readers() {
        ASSERT_EQ(::mkfifo(pipe().c_str(), 0600), 0);
        ASSERT_EQ(::link(pipe().c_str(), directory_.file("new").c_str()), 0);
        ASSERT_EQ(std::rename(directory_.file("new").c_str(), path().c_str()), 0);
    }

    /// Those that wait find nothing; the others find the file as it was.
    void let_readers_go() {
        write_file(directory_.file("new"), text_);
        ASSERT_EQ(std::rename(directory_.file("new").c_str(), path().c_str()), 0);
        const Descriptor nothing(::open(pipe().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    }

  private:
    [[nodiscard]] std::string pipe() const { return directory_.file("pipe"); }

    TemporaryDirectory directory_;
    std::string text_;
};

// A thread that never comes back is a fault of the program or of what it runs on. Here it opens a
// file that does not open.
TEST(Restart, WhenAllServingThreadsAreStuckRequestsAreRefusedAndTheWatchdogIsNotFed) {
    TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
    SlowServiceFile services(database.conninfo());
    const TemporaryDirectory directory;
    NotifySocket socket(directory.file("notify"));
    TestWorker worker(Settings{{"KHEOPS_WEBHOOKS_DATABASE", "service=kheops"},
                               {"PGSERVICEFILE", services.path()},
                               {"KHEOPS_WEBHOOKS_THREADS", "1"},
                               {"KHEOPS_WEBHOOKS_TIMEOUT", "0.5"},
                               {"NOTIFY_SOCKET", directory.file("notify")},
                               {"WATCHDOG_USEC", "100000"}});
    worker.await_log("event=started");
    services.stop_readers();
    const std::string request = fastcgi_request(get_parameters(kList, mint_token("alice")), true);
    FastCgiClient stuck(worker.socket_path());
    stuck.send(request);
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
    await("the watchdog is not fed any more", is_silent);

    services.let_readers_go();
    await("the watchdog is fed again", [&socket] { return socket.receive_now() == "WATCHDOG=1"; });
    await("the list is there, " + worker.log(), [&] {
        waiting.send(request);
        return status_of(waiting.receive_answer()) == 200;
    });
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0) << worker.log();
}

}  // namespace
}  // namespace kheops::test
