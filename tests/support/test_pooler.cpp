// SPDX-License-Identifier: MIT
#include "support/test_pooler.hpp"

#include <pwd.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "support/await.hpp"
#include "support/files.hpp"

namespace kheops::test {

TestPooler::TestPooler(const TestCluster& cluster, const std::string& mode, int size) {
    write_file(directory_.file("pgbouncer.ini"),
               "[databases]\npostgres = host='" + cluster.host() +
                   "' port=5432 user=postgres\n[pgbouncer]\npool_mode = " + mode +
                   "\ndefault_pool_size = " + std::to_string(size) +
                   "\nauth_type = any\nlisten_addr =\nunix_socket_dir = " + directory_.path() +
                   "\nlogfile = " + directory_.file("log") + "\n");
    Command command{.arguments = {"/usr/sbin/pgbouncer", directory_.file("pgbouncer.ini")},
                    .standard_output = "/dev/null",
                    .standard_error = "/dev/null"};
    if (::geteuid() == 0) {  // pgbouncer refuses to run as root
        const passwd* user = ::getpwnam("postgres");
        const std::vector<std::string> as_user = {"setpriv", "--reuid=postgres", "--regid=postgres",
                                                  "--clear-groups"};
        command.arguments.insert(command.arguments.begin(), as_user.begin(), as_user.end());
        command.environment = {{"PATH", "/usr/bin:/bin"}};
        for (const std::string& path : {directory_.path(), directory_.file("pgbouncer.ini")}) {
            if (::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
                throw std::runtime_error("chown: " + path);
            }
        }
    }
    process_ = std::make_unique<ChildProcess>(command);
    await("pgbouncer accepts clients", [&] {
        try {
            TestConnection connection(conninfo());
            return true;
        } catch (const std::runtime_error&) {
            return false;
        }
    });
}

}  // namespace kheops::test
