// SPDX-License-Identifier: MIT

// Several workers behind one nginx, over a primary database and a hot standby.

#include <gtest/gtest.h>

#include "support/await.hpp"
#include "support/database_proxy.hpp"
#include "support/fastcgi_client.hpp"
#include "support/nginx.hpp"
#include "support/test_cluster.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"
#include "support/traffic.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

/// Two database servers, each reached by TCP at its own address.
class ManyMachines : public testing::Test {
  protected:
    ManyMachines() {
        primary_.load({"sql/schema.sql", "sql/example-data.sql"});
        standby_ = TestCluster::standby_of(primary_);
        to_standby_ =
            std::make_unique<DatabaseProxy>(standby_->host() + "/.s.PGSQL.5432", "127.0.0.3");
    }

    [[nodiscard]] std::string both() const {
        return "host=127.0.0.2,127.0.0.3 port=" + std::to_string(to_primary_.port()) + "," +
               std::to_string(to_standby_->port()) + " user=postgres dbname=postgres";
    }

    static std::string server_conf(const std::vector<const TestWorker*>& workers) {
        std::string servers;
        for (const TestWorker* worker : workers) {
            servers += "server unix:" + worker->socket_path() + ";";
        }
        return nginx_file("kheops-webhooks.conf",
                          {{"listen 127.0.0.1:8080;", "listen 127.0.0.1:@PORT@;"},
                           {"rate=100r/s", "rate=100000r/s"},
                           {"server unix:/run/kheops-webhooks/worker.sock;", servers}});
    }

    static HttpHeaders token() { return {{"Authorization", "Bearer " + mint_token("alice")}}; }

    TestCluster primary_;
    DatabaseProxy to_primary_{primary_.host() + "/.s.PGSQL.5432", "127.0.0.2"};
    std::unique_ptr<TestCluster> standby_;
    std::unique_ptr<DatabaseProxy> to_standby_;
};

TEST_F(ManyMachines, FailoverToTheStandbyCostsNoRequest) {
    TestWorker first({{"KHEOPS_WEBHOOKS_DATABASE", both()}, {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}});
    TestWorker second({{"KHEOPS_WEBHOOKS_DATABASE", both()}, {"KHEOPS_WEBHOOKS_TIMEOUT", "30"}});
    const TestNginx nginx(server_conf({&first, &second}));
    Traffic traffic(nginx.url(kList), token());
    traffic.await_answers(30);

    primary_.crash();
    traffic.await_answers(60);
    standby_->promote();
    traffic.await_answers(60);
    first.signal(SIGKILL);
    traffic.await_answers(60);
    traffic.stop();
    EXPECT_EQ(traffic.statuses().size(), 1U) << first.log() << second.log();
    EXPECT_EQ(traffic.bodies(200).size(), 1U);

    TestConnection(standby_->conninfo()).execute("UPDATE webhooks SET name = 'after failover'");
    EXPECT_NE(fetch("GET", nginx.url(kList), token()).body.find("after failover"),
              std::string::npos);
}

TEST_F(ManyMachines, SilentHostIsSkippedWithinTheBudget) {
    to_primary_.set(DatabaseProxy::State::stalled);
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", both()}, {"KHEOPS_WEBHOOKS_TIMEOUT", "10"}});
    const TestNginx nginx(server_conf({&worker}));
    EXPECT_EQ(fetch("GET", nginx.url(kList), token()).status, 200) << worker.log();
}

TEST_F(ManyMachines, ReasonOfEachHostIsLoggedOnceWhenAllFail) {
    to_primary_.set(DatabaseProxy::State::closing);
    to_standby_->set(DatabaseProxy::State::dropping);
    TestWorker worker(
        {{"KHEOPS_WEBHOOKS_DATABASE", "host=127.0.0.2,127.0.0.3,127.0.0.1,127.0.0.4 port=" +
                                          std::to_string(to_primary_.port()) + "," +
                                          std::to_string(to_standby_->port()) +
                                          ",9,9 user=postgres password=canary dbname=postgres"},
         {"KHEOPS_WEBHOOKS_THREADS", "1"},
         {"KHEOPS_WEBHOOKS_TIMEOUT", "2"}});
    const auto ask = [&] {
        FastCgiClient client(worker.socket_path());
        client.send(fastcgi_request(get_parameters(kList, mint_token("alice")), false));
        return status_of(client.receive_answer());
    };
    EXPECT_EQ(ask(), 503);
    // The lines of the refused requests have these reasons too.
    const std::string lost = "event=database_lost level=error sqlstate=\"\" ";
    const std::vector<std::string> reasons = {
        lost + "reason=\"connection to server at \\\"127.0.0.2\\\", port " +
            std::to_string(to_primary_.port()) + " failed: server closed",
        lost + "reason=\"connection to server at \\\"127.0.0.3\\\", port " +
            std::to_string(to_standby_->port()) + " failed: no answer in time",
        lost +
            "reason=\"connection to server at \\\"127.0.0.1\\\", port 9 failed: Connection refused",
        lost +
            "reason=\"connection to server at \\\"127.0.0.4\\\", port 9 failed: Connection "
            "refused"};
    for (const std::string& reason : reasons) {
        worker.await_log(reason);
    }
    EXPECT_EQ(ask(), 503);
    const std::string log = worker.log();
    for (const std::string& reason : reasons) {
        EXPECT_EQ(log.find(reason), log.rfind(reason)) << log;
    }
    EXPECT_EQ(log.find("canary"), std::string::npos) << log;
    to_primary_.set(DatabaseProxy::State::forwarding);
    await("the list is served", [&] { return ask() == 200; });
}

/// If a list of hosts has gaps, libpq alone chooses; its failure to connect ends in a 503.
TEST_F(ManyMachines, HostListsWithGapsAreLeftToLibpq) {
    to_primary_.set(DatabaseProxy::State::closing);
    to_standby_->set(DatabaseProxy::State::closing);
    const std::string port = std::to_string(to_primary_.port());
    for (const std::string& hosts :
         {"host=127.0.0.2, port=" + port + ",", "host=,127.0.0.2 port=," + port,
          "host=127.0.0.2,127.0.0.3 hostaddr=127.0.0.2, port=" + port + "," +
              std::to_string(to_standby_->port())}) {
        TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", hosts + " user=postgres dbname=postgres"},
                           {"KHEOPS_WEBHOOKS_TIMEOUT", "2"}});
        FastCgiClient client(worker.socket_path());
        client.send(fastcgi_request(get_parameters(kList, mint_token("alice")), false));
        EXPECT_EQ(status_of(client.receive_answer()), 503);
        worker.await_log("event=database_lost");
        EXPECT_EQ(worker.log().find("could not match"), std::string::npos) << worker.log();
        worker.signal(SIGTERM);
        EXPECT_EQ(worker.exit_status(), 0);
    }
}

TEST_F(ManyMachines, StatementCancelledByRecoveryIsRepeated) {
    TestConnection standby(standby_->conninfo());
    standby.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0");
    standby.execute("SELECT pg_reload_conf()");
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", standby_->conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "1"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "60"}});
    TestConnection administrator(primary_.conninfo());
    const auto await_on_standby = [&](const std::string& what, const std::string& query) {
        await(what, [&] {
            // A commit sends the locks taken before it to the standby.
            administrator.execute("CREATE TABLE unused (); DROP TABLE unused");
            return standby.execute(query).text(0, 0) == "t";
        });
    };
    // The statement holds locks on its other tables while it waits for this table.
    TableLock awaited(primary_.conninfo(), "webhook_attempts");
    await_on_standby("the standby has the lock",
                     "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' "
                     "AND relation = 'webhook_attempts'::regclass");
    FastCgiClient client(worker.socket_path());
    client.send(fastcgi_request(get_parameters(kList, mint_token("alice")), true));
    await_on_standby("the statement waits",
                     "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                     "AND application_name = 'kheops-webhooks'");
    // Recovery needs one of those tables, and cancels the statement.
    TableLock needed(primary_.conninfo(), "webhooks");
    await_on_standby("the statement has been ended",
                     "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock' "
                     "AND granted AND relation = 'webhooks'::regclass");
    awaited.release();
    needed.release();
    await_on_standby("the standby has no lock any more",
                     "SELECT count(*) = 0 FROM pg_locks WHERE mode = 'AccessExclusiveLock'");
    EXPECT_EQ(status_of(client.receive_answer()), 200) << worker.log();
    EXPECT_EQ(worker.log().find("event=database_lost"), std::string::npos) << worker.log();
}

TEST_F(ManyMachines, StandbyServesWhenSerializableIsTheDefault) {
    TestConnection(primary_.conninfo())
        .execute("ALTER DATABASE postgres SET default_transaction_isolation = serializable");
    TestConnection standby(standby_->conninfo("template1"));
    await("the standby has the setting",
          [&] { return standby.execute("SELECT FROM pg_db_role_setting").count() > 0; });
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", standby_->conninfo()}});
    const TestNginx nginx(server_conf({&worker}));
    EXPECT_EQ(fetch("GET", nginx.url(kList), token()).status, 200) << worker.log();
}

TEST_F(ManyMachines, TargetSessionAttrsChoosesTheHost) {
    for (const auto& [attributes, wanted] :
         std::map<std::string, int>{{"read-write", 1}, {"standby", 2}}) {
        to_primary_.set(DatabaseProxy::State::forwarding);
        TestWorker worker(
            {{"KHEOPS_WEBHOOKS_DATABASE", both() + " target_session_attrs=" + attributes},
             {"KHEOPS_WEBHOOKS_THREADS", "1"}});
        const TestNginx nginx(server_conf({&worker}));
        EXPECT_EQ(fetch("GET", nginx.url(kList), token()).status, 200) << worker.log();
        EXPECT_EQ(primary_.connections("kheops-webhooks"), wanted == 1 ? 1 : 0);
        EXPECT_EQ(standby_->connections("kheops-webhooks"), wanted == 2 ? 1 : 0);
    }
}

}  // namespace
}  // namespace kheops::test
