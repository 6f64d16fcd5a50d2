// SPDX-License-Identifier: MIT

// Behind pgbouncer, which gives each transaction another server connection.

#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "support/await.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/process.hpp"
#include "support/test_cluster.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

/// pgbouncer in transaction mode, with one server connection for all clients.
class Pooler {
  public:
    explicit Pooler(const TestCluster& cluster) {
        write_file(directory_.file("pgbouncer.ini"),
                   "[databases]\npostgres = host='" + cluster.host() +
                       "' port=5432 user=postgres\n[pgbouncer]\npool_mode = transaction\n"
                       "default_pool_size = 1\nauth_type = any\nlisten_addr =\n"
                       "unix_socket_dir = " +
                       directory_.path() + "\nlogfile = " + directory_.file("log") + "\n");
        Command command{.arguments = {"/usr/sbin/pgbouncer", directory_.file("pgbouncer.ini")},
                        .standard_output = "/dev/null",
                        .standard_error = "/dev/null"};
        if (::geteuid() == 0) {  // it refuses to run as root
            const passwd* user = ::getpwnam("postgres");
            const std::vector<std::string> as_user = {"setpriv", "--reuid=postgres",
                                                      "--regid=postgres", "--clear-groups"};
            command.arguments.insert(command.arguments.begin(), as_user.begin(), as_user.end());
            command.environment = {{"PATH", "/usr/bin:/bin"}};
            for (const std::string& path : {directory_.path(), directory_.file("pgbouncer.ini")}) {
                EXPECT_EQ(::chown(path.c_str(), user->pw_uid, user->pw_gid), 0);
            }
        }
        process_ = std::make_unique<ChildProcess>(command);
        await("pgbouncer lets clients in", [&] {
            try {
                TestConnection connection(conninfo());
                return true;
            } catch (const std::runtime_error&) {
                return false;
            }
        });
    }

    [[nodiscard]] std::string conninfo() const {
        return "host='" + directory_.path() + "' port=6432 user=postgres dbname=postgres";
    }

  private:
    TemporaryDirectory directory_;
    std::unique_ptr<ChildProcess> process_;
};

TEST(Behind, PgbouncerNothingIsPreparedNorSetForOthers) {
    const TestCluster cluster;
    cluster.load({"sql/schema.sql", "sql/example-data.sql"});
    const Pooler pooler(cluster);
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
    const size_t said = log.find("event=database_pooler");
    EXPECT_NE(said, std::string::npos) << log;
    EXPECT_EQ(said, log.rfind("event=database_pooler")) << log;
}

}  // namespace
}  // namespace kheops::test
