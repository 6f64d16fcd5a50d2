// SPDX-License-Identifier: MIT

// A database fails and comes back while clients keep asking: every answer is the list or a 503,
// within the budget, and soon after the database is back every answer is the list.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/await.hpp"
#include "support/database_proxy.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/nginx.hpp"
#include "support/test_cluster.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"
#include "support/traffic.hpp"

namespace kheops::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr auto kBudget = 2s;
/// By how much a busy machine may exceed a promised time.
constexpr auto kMargin = 8s;
constexpr int kThreads = 3;

class DatabaseOutage : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        cluster_ = std::make_unique<TestCluster>(
            std::vector<std::string>{"max_connections = 12", "superuser_reserved_connections = 2"});
        cluster_->load({"sql/schema.sql", "sql/example-data.sql"});
        TestConnection(cluster_->conninfo())
            .execute(
                "CREATE ROLE clerk LOGIN PASSWORD 'first';"
                "GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk");
    }
    static void TearDownTestSuite() { cluster_.reset(); }

    /// The worker, nginx and clients that ask all the time; ready after the first 200.
    class Site {
      public:
        explicit Site(const std::string& database)
            : worker_({{"KHEOPS_WEBHOOKS_DATABASE", database},
                       {"KHEOPS_WEBHOOKS_THREADS", std::to_string(kThreads)},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "2"}}),
              nginx_(nginx_file("kheops-webhooks.conf",
                                {{"listen 127.0.0.1:8080;", "listen 127.0.0.1:@PORT@;"},
                                 {"rate=100r/s", "rate=100000r/s"},
                                 {"server unix:/run/kheops-webhooks/worker.sock;",
                                  "server unix:" + worker_.socket_path() + ";"}})),
              traffic_(nginx_.url(kList), {{"Authorization", "Bearer " + mint_token("alice")}}) {
            traffic_.await_status(200);
        }

        TestWorker& worker() { return worker_; }
        Traffic& traffic() { return traffic_; }

        /// Once the database is back, clients must soon get the list, and then no 503 any more.
        void expect_recovery() {
            const auto back = Traffic::Clock::now();
            traffic_.await_status(200);
            await("no answer is a 503", [this] {
                const int unavailable = traffic_.statuses()[503];
                traffic_.await_answers(100);
                return traffic_.statuses()[503] == unavailable;
            });
            EXPECT_LT(Traffic::Clock::now() - back, 2s + kMargin) << worker_.log();
        }

        void expect_only_lists_and_503() {
            traffic_.stop();
            for (const auto& [status, count] : traffic_.statuses()) {
                EXPECT_TRUE(status == 200 || status == 503)
                    << count << " answers have status " << status << '\n'
                    << worker_.log();
            }
            EXPECT_EQ(traffic_.bodies(200).size(), 1U);
            EXPECT_LT(traffic_.slowest(), kBudget + kMargin);
            await("no more connections than threads are open",
                  [] { return cluster_->connections("kheops-webhooks") <= kThreads; });
        }

      private:
        TestWorker worker_;
        TestNginx nginx_;
        Traffic traffic_;
    };

    /// Ends the sessions of the role clerk, which cannot log in any more, until a request is
    /// refused. To end them once is not enough: a session that has just logged in may not be listed
    /// yet.
    static void end_sessions_of_clerk(Site& site) {
        TestConnection administrator(cluster_->conninfo());
        const int unavailable = site.traffic().statuses()[503];
        await("a request is refused", [&] {
            administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clerk'");
            return site.traffic().statuses()[503] > unavailable;
        });
    }

    static std::string through(const DatabaseProxy& proxy) {
        return "host=127.0.0.1 port=" + std::to_string(proxy.port()) +
               " user=postgres dbname=postgres";
    }
    static std::string socket_path() { return cluster_->host() + "/.s.PGSQL.5432"; }

    static std::unique_ptr<TestCluster> cluster_;
};

std::unique_ptr<TestCluster> DatabaseOutage::cluster_;

TEST_F(DatabaseOutage, ListIsBackAfterARestart) {
    Site site(cluster_->conninfo());
    cluster_->stop();
    site.traffic().await_status(503);
    cluster_->start();
    site.expect_recovery();
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, ListIsBackAfterACrash) {
    Site site(cluster_->conninfo());
    cluster_->crash();
    site.traffic().await_status(503);
    cluster_->start();
    site.expect_recovery();
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, ListIsBackAfterAServerWasFrozen) {
    Site site(cluster_->conninfo());
    cluster_->freeze();
    site.worker().await_log("event=database_lost");
    site.traffic().await_answers(300);  // refused at once, not after a budget each
    cluster_->thaw();
    site.expect_recovery();
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, ListIsBackAfterTheNetworkWasSilent) {
    DatabaseProxy proxy(socket_path());
    Site site(through(proxy));
    proxy.set(DatabaseProxy::State::stalled);
    site.worker().await_log("event=database_lost");
    site.traffic().await_answers(300);
    proxy.set(DatabaseProxy::State::forwarding);
    site.expect_recovery();
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, ListIsBackAfterTheNetworkLostPackets) {
    DatabaseProxy proxy(socket_path());
    Site site(through(proxy));
    proxy.set(DatabaseProxy::State::dropping);
    site.worker().await_log("event=database_lost");
    site.traffic().await_answers(300);
    const int before = proxy.connections();
    await("another connect is under way", [&] { return proxy.connections() > before; });
    proxy.set(DatabaseProxy::State::forwarding);
    site.expect_recovery();  // by the next connect: this one never ends
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, ServerThatClosesConnectionsIsNotFloodedWithNewOnes) {
    DatabaseProxy proxy(socket_path());
    Site site(through(proxy));
    proxy.set(DatabaseProxy::State::closing);
    site.traffic().await_status(503);
    const auto begin = Traffic::Clock::now();
    const int before = proxy.connections();
    site.traffic().await_answers(500);
    const int tries = proxy.connections() - before;
    // At most one connect in 200 ms, and those under way at the beginning.
    EXPECT_LE(tries, (Traffic::Clock::now() - begin) / 200ms + kThreads + 1) << site.worker().log();
    proxy.set(DatabaseProxy::State::forwarding);
    site.expect_recovery();
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, AtMostFourThreadsConnectAtOnce) {
    DatabaseProxy proxy(socket_path());
    constexpr int kClients = 8;
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", through(proxy)},
                       {"KHEOPS_WEBHOOKS_THREADS", std::to_string(kClients)},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "2"}});
    worker.await_log("event=started");
    const std::string request = fastcgi_request(get_parameters(kList, mint_token("alice")), true);
    cluster_->freeze();  // each connect waits
    const auto begin = Traffic::Clock::now();
    std::vector<std::unique_ptr<FastCgiClient>> clients;
    for (int i = 0; i < kClients; ++i) {
        clients.push_back(std::make_unique<FastCgiClient>(worker.socket_path()));
        clients.back()->send(request);
    }
    for (const auto& client : clients) {
        EXPECT_EQ(status_of(client->receive_answer()), 503) << worker.log();
    }
    // Four connects, then probes of 1.5 s each.
    EXPECT_LE(proxy.connections(), 4 + (Traffic::Clock::now() - begin) / 1500ms) << worker.log();
    cluster_->thaw();
    for (const auto& client : clients) {
        await("the list is served", [&] {
            client->send(request);
            return status_of(client->receive_answer()) == 200;
        });
    }
}

TEST_F(DatabaseOutage, ListIsBackAfterAllConnectionSlotsWereTaken) {
    Site site(cluster_->conninfo() + " user=clerk");
    {
        // The role crowd takes all connections after those of the worker have ended.
        TestConnection administrator(cluster_->conninfo());
        administrator.execute("ALTER ROLE clerk NOLOGIN");
        end_sessions_of_clerk(site);
        administrator.execute("CREATE ROLE crowd LOGIN");
        std::vector<TestConnection> crowd;
        EXPECT_THROW(
            for (;;) { crowd.emplace_back(cluster_->conninfo() + " user=crowd"); },
            std::runtime_error);
        administrator.execute("ALTER ROLE clerk LOGIN");
        site.worker().await_log("remaining connection slots are reserved");
        site.traffic().await_status(503);
    }
    site.expect_recovery();
    TestConnection(cluster_->conninfo()).execute("DROP ROLE crowd");
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, ListIsBackAfterAPasswordChange) {
    const TemporaryDirectory directory;
    const std::string file = directory.file("passwords");
    write_file(file, "*:*:*:clerk:first\n");
    ::chmod(file.c_str(), 0600);  // else libpq ignores the file
    cluster_->put_access_rule("local all clerk scram-sha-256");
    TestConnection administrator(cluster_->conninfo());
    Site site(cluster_->conninfo() + " user=clerk passfile='" + file + "'");
    administrator.execute("ALTER ROLE clerk PASSWORD 'second'");
    end_sessions_of_clerk(site);
    site.worker().await_log("password authentication failed for user");
    site.traffic().await_status(503);
    write_file(file, "*:*:*:clerk:second\n");
    site.expect_recovery();
    site.expect_only_lists_and_503();
}

TEST_F(DatabaseOutage, TerminatedConnectionsAreReplacedWithoutA503) {
    Site site(cluster_->conninfo());
    TestConnection(cluster_->conninfo())
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'kheops-webhooks'");
    site.traffic().await_answers(100);
    site.traffic().stop();
    EXPECT_EQ(site.traffic().statuses().size(), 1U) << site.worker().log();
    site.expect_only_lists_and_503();
    // libpq prints notices on standard error by default; the log has none.
    EXPECT_EQ(site.worker().log().find("\nFATAL"), std::string::npos) << site.worker().log();
}

TEST_F(DatabaseOutage, StatementEndsInTheServerWhenItsClientLeaves) {
    if (TestConnection(cluster_->conninfo())
            .execute("SELECT FROM pg_settings WHERE name = 'client_connection_check_interval'")
            .count() == 0) {
        GTEST_SKIP() << "PostgreSQL before 14 does not watch its clients' connections";
    }
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", cluster_->conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "1"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "300"}});
    const TableLock lock(cluster_->conninfo(), "webhooks");
    TestConnection administrator(cluster_->conninfo());
    const auto waits_for_lock = [&] {
        return administrator
                   .execute(
                       "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                       "application_name = 'kheops-webhooks'")
                   .count() > 0;
    };
    {
        FastCgiClient leaving(worker.socket_path());
        leaving.send(fastcgi_request(get_parameters(kList, mint_token("alice")), true));
        await("the statement waits for the lock", waits_for_lock);
    }
    await("the statement has ended", [&] { return !waits_for_lock(); });
}

TEST_F(DatabaseOutage, QueuedRequestIsDiscardedWhenItsClientLeaves) {
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", cluster_->conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "1"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "300"},
                       {"KHEOPS_WEBHOOKS_LOG", "debug"}});
    TableLock lock(cluster_->conninfo(), "webhooks");
    const std::string request = fastcgi_request(get_parameters(kList, mint_token("alice")), true);
    FastCgiClient first(worker.socket_path());
    first.send(request);
    TestConnection administrator(cluster_->conninfo());
    await("the statement waits for the lock", [&] {
        return administrator
                   .execute(
                       "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                       "application_name = 'kheops-webhooks'")
                   .count() > 0;
    });
    {
        FastCgiClient leaving(worker.socket_path());
        leaving.send(request);
        // The worker has queued it once it has read a later request.
        FastCgiClient later(worker.socket_path());
        later.send("no request");
        later.await_close();
    }
    lock.release();
    EXPECT_EQ(status_of(first.receive_answer()), 200);
    first.send(request);
    EXPECT_EQ(status_of(first.receive_answer()), 200);
    worker.await_log("event=request_abandoned");
    EXPECT_EQ(worker.log().find("status=503"), std::string::npos) << worker.log();
}

}  // namespace
}  // namespace kheops::test
