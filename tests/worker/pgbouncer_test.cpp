// SPDX-License-Identifier: MIT

// The worker behind pgbouncer, in each of its modes.

#include <gtest/gtest.h>

#include <tuple>

#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/test_cluster.hpp"
#include "support/test_keys.hpp"
#include "support/test_pooler.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

TEST(Pgbouncer, StatementsAreNotPreparedInTransactionMode) {
    const TestCluster cluster;
    cluster.load({"sql/schema.sql", "sql/example-data.sql"});
    const TestPooler pooler(cluster, "transaction", 1);
    TestConnection other(pooler.conninfo());
    TestWorker worker(
        {{"KHEOPS_WEBHOOKS_DATABASE", pooler.conninfo()}, {"KHEOPS_WEBHOOKS_THREADS", "2"}});
    const std::string request =
        fastcgi_request(get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), true);
    FastCgiClient first(worker.socket_path());
    FastCgiClient second(worker.socket_path());
    for (int i = 0; i < 10; ++i) {
        first.send(request);
        second.send(request);
        EXPECT_EQ(status_of(first.receive_answer()), 200) << worker.log();
        EXPECT_EQ(status_of(second.receive_answer()), 200) << worker.log();
        other.execute("CREATE TABLE IF NOT EXISTS others (x int); DROP TABLE others");
    }
    EXPECT_EQ(other.execute("SHOW default_transaction_read_only").text(0, 0), "off");
    EXPECT_EQ(other.execute("SHOW plan_cache_mode").text(0, 0), "auto");
    EXPECT_EQ(other.execute("SELECT FROM pg_prepared_statements").count(), 0);
    const std::string log = worker.log();
    const size_t logged = log.find("event=database_pooler");
    EXPECT_NE(logged, std::string::npos) << log;
    EXPECT_EQ(logged, log.rfind("event=database_pooler")) << log;
}

class PgbouncerInEachMode : public testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(PgbouncerInEachMode, ServesEveryRequestOfSeveralBursts) {
    const TestCluster cluster;
    cluster.load({"sql/schema.sql", "sql/example-data.sql"});
    const auto& [mode, size] = GetParam();
    const TestPooler pooler(cluster, mode, size);
    constexpr int kThreads = 4;
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", pooler.conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", std::to_string(kThreads)},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "10"}});
    const std::string request =
        fastcgi_request(get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), true);
    std::vector<std::unique_ptr<FastCgiClient>> clients;
    for (int i = 0; i < kThreads; ++i) {
        clients.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
    }
    const auto burst = [&] {
        for (const auto& client : clients) {
            client->send(request);
        }
        for (const auto& client : clients) {
            EXPECT_EQ(status_of(client->receive_answer()), 200) << worker.log();
        }
    };
    burst();
    if (mode == std::string("session")) {
        await("the limit of connections is logged", [&] {
            burst();
            return worker.log().find("event=database_connections_limited") != std::string::npos;
        });
    }
    for (int i = 0; i < 50; ++i) {
        burst();
    }
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
    EXPECT_EQ(worker.log().find("status=503"), std::string::npos) << worker.log();
    EXPECT_EQ(worker.log().find("event=database_connections_limited"),
              worker.log().rfind("event=database_connections_limited"))
        << worker.log();
}

INSTANTIATE_TEST_SUITE_P(All, PgbouncerInEachMode,
                         testing::Combine(testing::Values("session", "transaction", "statement"),
                                          testing::Values(1, 2)));

}  // namespace
}  // namespace kheops::test
