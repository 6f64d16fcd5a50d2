// SPDX-License-Identifier: MIT

// The worker under a service manager that holds its listening socket, as systemd does with the
// units in systemd/: what it tells, and that a restart loses nothing.

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/http_client.hpp"
#include "support/notify_socket.hpp"
#include "support/temporary_directory.hpp"
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
    TestWorker worker(Settings{{"NOTIFY_SOCKET", directory.file("notify")}});
    EXPECT_EQ(socket.receive(), "READY=1");
    worker.restart();
    EXPECT_EQ(socket.receive(), "STOPPING=1");
    EXPECT_EQ(socket.receive(), "READY=1");
    worker.signal(SIGTERM);
    EXPECT_EQ(worker.exit_status(), 0);
    EXPECT_EQ(socket.receive(), "STOPPING=1");
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

}  // namespace
}  // namespace kheops::test
