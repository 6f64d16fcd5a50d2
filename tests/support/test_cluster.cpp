// SPDX-License-Identifier: MIT
#include "support/test_cluster.hpp"

#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/process.hpp"

namespace kheops::test {

namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// The current children of a process.
std::vector<pid_t> children_of(pid_t process) {
    const std::string id = std::to_string(process);
    std::istringstream ids(first_line("/proc/" + id + "/task/" + id + "/children"));
    std::vector<pid_t> children;
    for (pid_t child = 0; ids >> child;) {
        children.push_back(child);
    }
    return children;
}

}  // namespace

TestCluster::TestCluster(const std::vector<std::string>& settings)
    : path_(directory_.file("cluster")) {
    // The server may run as another user, who must be able to enter this directory.
    ::chmod(directory_.path().c_str(), 0711);
    run("postgres_start \"$dir\"");
    host_ = first_line(path_ + "/socket-dir");
    if (!settings.empty()) {
        stop();
        std::ofstream file(path_ + "/data/postgresql.conf", std::ios::app);
        for (const std::string& setting : settings) {
            file << setting << '\n';
        }
        file.close();
        start();
    }
}

TestCluster::TestCluster(Empty /*unused*/) : path_(directory_.file("cluster")), host_(path_) {
    ::chmod(directory_.path().c_str(), 0711);
}

std::unique_ptr<TestCluster> TestCluster::standby_of(const TestCluster& primary) {
    std::unique_ptr<TestCluster> standby(new TestCluster(Empty()));
    primary.stop();
    standby->run("mkdir -m 700 \"$dir\"; chown --reference='" + primary.path_ +
                 "' \"$dir\"; postgres_run \"$dir\" cp -a '" + primary.path_ +
                 "/data' \"$dir/data\"; postgres_run \"$dir\" touch \"$dir/data/standby.signal\"; "
                 "echo \"unix_socket_directories = '$dir'\" >>\"$dir/data/postgresql.conf\"; "
                 "echo \"primary_conninfo = 'user=postgres host=" +
                 primary.host_ +
                 "'\" >>\"$dir/data/postgresql.conf\"; echo \"$dir\" >\"$dir/socket-dir\"");
    primary.start();
    standby->start();
    return standby;
}

TestCluster::~TestCluster() {
    try {
        thaw();
        run("postgres_stop \"$dir\"");
    } catch (const std::exception&) {
        // The server has been killed; directory_ removes its files.
    }
}

std::string TestCluster::conninfo(const std::string& database) const {
    return "host='" + host_ + "' port=5432 user=postgres dbname=" + database;
}

void TestCluster::load(const std::vector<std::string>& sql_files) const {
    TestConnection connection(conninfo());
    for (const std::string& file : sql_files) {
        connection.execute(read_source(file));
    }
}

void TestCluster::start() const {
    run("postgres_run \"$dir\" \"$bin/pg_ctl\" --pgdata=\"$dir/data\" "
        "--log=\"$dir/postgresql.log\" --wait --timeout=60 --silent start");
}

void TestCluster::stop() const {
    run("postgres_run \"$dir\" \"$bin/pg_ctl\" --pgdata=\"$dir/data\" --mode=fast --wait --silent "
        "stop");
}

void TestCluster::crash() const {
    const pid_t server = std::stoi(first_line(path_ + "/data/postmaster.pid"));
    const std::vector<pid_t> children = children_of(server);
    ::kill(server, SIGKILL);
    for (const pid_t child : children) {
        ::kill(child, SIGKILL);
    }
    await("all processes of the server have ended", [&] {
        bool any = ::kill(server, 0) == 0;
        for (const pid_t child : children) {
            any = any || ::kill(child, 0) == 0;
        }
        return !any;
    });
}

void TestCluster::freeze() const {
    signal_all(SIGSTOP);
}

void TestCluster::thaw() const {
    signal_all(SIGCONT);
}

void TestCluster::signal_all(int number) const {
    // The parent gets the signal first, so that it creates no children meanwhile.
    const pid_t server = std::stoi(first_line(path_ + "/data/postmaster.pid"));
    ::kill(server, number);
    for (const pid_t child : children_of(server)) {
        ::kill(child, number);
    }
}

void TestCluster::promote() const {
    TestConnection(conninfo()).execute("SELECT pg_promote()");
}

void TestCluster::put_access_rule(const std::string& rule) const {
    const std::string file = path_ + "/data/pg_hba.conf";
    std::string rules = read_file(file);
    rules.insert(0, rule + '\n');
    std::ofstream(file) << rules;
    TestConnection(conninfo()).execute("SELECT pg_reload_conf()");
}

int TestCluster::connections(const std::string& application_name) const {
    return TestConnection(conninfo())
        .execute("SELECT FROM pg_stat_activity WHERE application_name = $1", {application_name})
        .count();
}

void TestCluster::run(const std::string& commands) const {
    const std::string output = directory_.file("output");
    const char* path = std::getenv("PATH");
    const char* programs = std::getenv("KHEOPS_TEST_POSTGRESQL");
    ChildProcess shell(
        {.arguments = {"bash", "-euc",
                       ". \"$1/scripts/lib.sh\"; dir=$2; bin=$(postgres_bindir); " + commands,
                       "bash", KHEOPS_SOURCE_DIR, path_},
         .environment = {{"PATH", path != nullptr ? path : "/usr/bin:/bin"},
                         {"KHEOPS_TEST_POSTGRESQL", programs != nullptr ? programs : ""}},
         .standard_output = output,
         .standard_error = output});
    if (shell.wait() != 0) {
        throw std::runtime_error("PostgreSQL for a test: " + commands + " failed:\n" +
                                 read_file(output));
    }
}

}  // namespace kheops::test
