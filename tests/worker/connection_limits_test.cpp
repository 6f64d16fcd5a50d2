// SPDX-License-Identifier: MIT

// A server that gives the worker fewer connections than it has threads.

#include <gtest/gtest.h>

#include <unistd.h>

#include <thread>

#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/test_cluster.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kLimited = "event=database_connections_limited";
constexpr const char* kUnlimited = "event=database_connections_unlimited";
constexpr const char* kLost = "event=database_lost";

int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++found;
    }
    return found;
}

class ConnectionLimits : public testing::TestWithParam<int> {
  protected:
    static void SetUpTestSuite() {
        cluster_ = std::make_unique<TestCluster>(
            std::vector<std::string>{"max_connections = 20", "superuser_reserved_connections = 3"});
        cluster_->load({"sql/schema.sql", "sql/example-data.sql"});
        TestConnection(cluster_->conninfo())
            .execute(
                "CREATE ROLE clerk LOGIN;"
                "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk");
    }
    static void TearDownTestSuite() { cluster_.reset(); }

    ConnectionLimits() { limit(-1); }

    void limit(int connections) {
        administrator_.execute("ALTER ROLE clerk CONNECTION LIMIT " + std::to_string(connections));
    }

    static Settings settings(int threads) {
        return {{"KHEOPS_WEBHOOKS_DATABASE", cluster_->conninfo() + " user=clerk"},
                {"KHEOPS_WEBHOOKS_THREADS", std::to_string(threads)},
                {"KHEOPS_WEBHOOKS_TIMEOUT", "20"}};
    }

    /// Clients that send request after request, each on a connection of its own, until stop().
    class Clients {
      public:
        Clients(const TestWorker& worker, int count) {
            for (int i = 0; i < count; ++i) {
                threads_.emplace_back([this, &worker](const std::stop_token& stop) {
                    FastCgiClient client(worker.socket_path());
                    while (!stop.stop_requested()) {
                        client.send(request_);
                        ++(status_of(client.receive_answer()) == 200 ? served_ : refused_);
                    }
                });
            }
        }
        void await_served(int more) const {
            const int before = served_;
            await("requests are served", [&] { return served_ >= before + more; });
        }
        void stop() { threads_.clear(); }
        [[nodiscard]] int refused() const { return refused_; }

      private:
        const std::string request_ = fastcgi_request(
            get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), true);
        std::atomic<int> served_ = 0;
        std::atomic<int> refused_ = 0;
        std::vector<std::jthread> threads_;
    };

    /// Terminates the worker's sessions one by one, each while it is idle.
    void end_idle_sessions() {
        const Rows sessions = administrator_.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'clerk' AND "
            "application_name = 'kheops-webhooks' ORDER BY pid");
        for (int i = 0; i < sessions.count(); ++i) {
            await("the idle session is terminated", [&] {
                const Rows ended = administrator_.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = " +
                    sessions.text(i, 0) + " AND state = 'idle'");
                const Rows left = administrator_.execute(
                    "SELECT FROM pg_stat_activity WHERE pid = " + sessions.text(i, 0));
                return ended.count() == 1 || left.count() == 0;
            });
        }
    }

    int sessions_except(const std::string& pid) {
        return administrator_
            .execute(
                "SELECT FROM pg_stat_activity WHERE usename = 'clerk' AND "
                "application_name = 'kheops-webhooks' AND pid <> " +
                pid)
            .count();
    }
    int sessions() { return sessions_except("0"); }

    static std::unique_ptr<TestCluster> cluster_;
    TestConnection administrator_{cluster_->conninfo()};
};

std::unique_ptr<TestCluster> ConnectionLimits::cluster_;

TEST_P(ConnectionLimits, OfARoleDelayRequestsWithoutA503AndAreLoggedOnce) {
    limit(GetParam());
    for (const int threads : {4, 16}) {
        TestWorker worker(settings(threads));
        Clients clients(worker, threads);
        clients.await_served(500);
        end_idle_sessions();
        clients.await_served(500);
        clients.stop();
        EXPECT_EQ(clients.refused(), 0) << worker.log();
        EXPECT_EQ(count(worker.log(), kLost), 0) << worker.log();
        EXPECT_EQ(count(worker.log(), kLimited), threads > GetParam() ? 1 : 0) << worker.log();
        EXPECT_EQ(count(worker.log(), kUnlimited), 0) << worker.log();
        worker.signal(SIGTERM);
        EXPECT_EQ(worker.exit_status(), 0);
        await("the worker's sessions have ended", [&] { return sessions() == 0; });
    }
}

INSTANTIATE_TEST_SUITE_P(All, ConnectionLimits, testing::Values(1, 2, 4));

using OtherLimits = ConnectionLimits;

TEST_F(OtherLimits, ServesOnWhenAnotherClientTakesAConnection) {
    limit(2);
    TestWorker worker(settings(2));
    Clients clients(worker, 2);
    await("the worker has two sessions", [&] { return sessions() == 2; });
    clients.await_served(100);
    {
        // Repeats until the other client is quicker than the worker.
        std::unique_ptr<TestConnection> other;
        await("the other client has the connection", [&] {
            const std::string ended =
                administrator_
                    .execute(
                        "SELECT max(pid) FROM pg_stat_activity WHERE usename = 'clerk' AND "
                        "application_name = 'kheops-webhooks'")
                    .text(0, 0);
            administrator_.execute("SELECT pg_terminate_backend(" + ended + ")");
            while (!other && sessions_except(ended) < 2) {
                try {
                    other = std::make_unique<TestConnection>(cluster_->conninfo() + " user=clerk");
                } catch (const std::runtime_error&) {
                    continue;
                }
            }
            return other != nullptr;
        });
        worker.await_log(kLimited);
        clients.await_served(1000);
    }
    await("the worker has two sessions again", [&] { return sessions() == 2; });
    worker.await_log(kUnlimited);
    clients.await_served(100);
    clients.stop();
    EXPECT_EQ(clients.refused(), 0) << worker.log();
    EXPECT_EQ(count(worker.log(), kLost), 0) << worker.log();
    EXPECT_EQ(count(worker.log(), kLimited), 1) << worker.log();
    EXPECT_EQ(count(worker.log(), kUnlimited), 1) << worker.log();
}

TEST_F(OtherLimits, MaxConnectionsReachedAndFreedAreLoggedOnceEach) {
    TestWorker worker(settings(4));
    {
        Clients first(worker, 1);
        first.await_served(10);
    }
    std::vector<TestConnection> crowd;
    EXPECT_THROW(
        for (;;) { crowd.emplace_back(cluster_->conninfo() + " user=clerk"); }, std::runtime_error);
    Clients clients(worker, 4);
    worker.await_log(kLimited);
    clients.await_served(500);
    crowd.clear();
    worker.await_log(kUnlimited);
    await("each thread has a session", [&] { return sessions() == 4; });
    clients.await_served(500);
    clients.stop();
    EXPECT_EQ(clients.refused(), 0) << worker.log();
    EXPECT_EQ(count(worker.log(), kLost), 0) << worker.log();
    EXPECT_EQ(count(worker.log(), kLimited), 1) << worker.log();
    EXPECT_EQ(count(worker.log(), kUnlimited), 1) << worker.log();
}

TEST_F(OtherLimits, TerminatedIdleSessionsCostNoRequestUnderLoad) {
    TestWorker worker(settings(8));
    Clients clients(worker, 8);
    clients.await_served(200);
    for (int i = 0; i < 5; ++i) {
        end_idle_sessions();
        clients.await_served(100);
    }
    clients.stop();
    EXPECT_EQ(clients.refused(), 0) << worker.log();
    EXPECT_EQ(count(worker.log(), kLost), 0) << worker.log();
}

}  // namespace
}  // namespace kheops::test
