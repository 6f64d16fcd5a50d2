// SPDX-License-Identifier: MIT

// More requests than can be served in time.

#include <gtest/gtest.h>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

TEST(Overload, RequestThatWouldWaitTooLongGets503AtOnce) {
    TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", database.conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "2"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "20"}});
    const std::string request =
        fastcgi_request(get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), true);

    const auto lock = database.lock_table("webhooks");
    std::vector<std::unique_ptr<FastCgiClient>> served;
    for (int i = 0; i < 6; ++i) {  // two are being served, four wait for a thread
        served.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
        served.back()->send(request);
        database.await_waiting_backend();  // so the first one holds a thread
    }
    std::vector<std::unique_ptr<FastCgiClient>> more;
    await("a request is refused", [&] {
        more.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
        more.back()->send(request);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return worker.log().find("detail=\"All threads are busy\" reason=\"no thread was free") !=
               std::string::npos;
    });
    // The serving threads are still held: another thread refused it.
    EXPECT_EQ(worker.log().find("status=200"), std::string::npos);
    EXPECT_EQ(worker.log().find("did not answer in time"), std::string::npos) << worker.log();
    EXPECT_EQ(status_of(more.back()->receive_answer()), 503);

    lock->release();
    for (const auto& client : served) {
        EXPECT_EQ(status_of(client->receive_answer()), 200) << worker.log();
    }
    FastCgiClient later(worker.socket_path());
    await("requests are served again", [&] {
        later.send(request);
        return status_of(later.receive_answer()) == 200;
    });
}

TEST(Overload, PastDelayCausesNoRefusal) {
    TestDatabase database({"sql/schema.sql", "sql/example-data.sql"});
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", database.conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "2"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "8"}});
    const std::string request =
        fastcgi_request(get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), true);
    const auto ask = [&](size_t count) {
        std::vector<std::unique_ptr<FastCgiClient>> clients;
        for (size_t i = 0; i < count; ++i) {
            clients.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
            clients.back()->send(request);
        }
        return clients;
    };
    const auto lock = database.lock_table("webhooks");
    const auto held = ask(4);  // two are being served, two wait for a thread
    database.await_waiting_backend();
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // a quarter of the budget: 2 s
    lock->release();
    for (const auto& client : held) {
        EXPECT_EQ(status_of(client->receive_answer()), 200) << worker.log();
    }
    for (const auto& client : ask(60)) {
        EXPECT_EQ(status_of(client->receive_answer()), 200) << worker.log();
    }
}

}  // namespace
}  // namespace kheops::test
