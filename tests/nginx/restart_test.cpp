// SPDX-License-Identifier: MIT

// A service manager holds the worker's listening socket, as systemd does with the units in
// systemd/, so that a restart of the worker loses no request.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/await.hpp"
#include "support/http_client.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

TEST(Restart, FiftyRestartsUnderLoadLoseNoRequest) {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {},
                  {{"rate=100r/s", "rate=100000r/s"}});
    const std::string url = site.nginx().url("/albums/DemoAlbum1/webhooks");
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

}  // namespace
}  // namespace kheops::test
