// SPDX-License-Identifier: MIT

// Measures, and asserts nothing: CPU time per request of nginx and of the worker, and the worker's
// resident memory. `make measure` runs it.

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

constexpr int kClients = 8;
constexpr int kRequests = 100'000;

/// CPU time that a process has used so far, in seconds (proc(5), stat).
double cpu_seconds(pid_t process) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    std::string skipped;
    std::getline(stat, skipped, ')');  // the name may hold spaces
    for (int field = 3; field < 14; ++field) {
        stat >> skipped;
    }
    double user = 0;
    double system = 0;
    stat >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// The only child of a process.
pid_t child_of(pid_t process) {
    const std::string id = std::to_string(process);
    std::ifstream children("/proc/" + id + "/task/" + id + "/children");
    pid_t child = 0;
    children >> child;
    return child;
}

double resident_mebibytes(pid_t process) {
    std::ifstream statm("/proc/" + std::to_string(process) + "/statm");
    double total = 0;
    double resident = 0;
    statm >> total >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Sends the share of one client; returns how many were not answered with 200.
int send_requests(const std::string& url, const HttpHeaders& headers) {
    HttpClient client;
    int failed = 0;
    for (int i = 0; i < kRequests / kClients; ++i) {
        failed += client.fetch("GET", url, headers).status == 200 ? 0 : 1;
    }
    return failed;
}

int measure() {
    TestSite site({"sql/schema.sql", "sql/example-data.sql"}, {{"KHEOPS_WEBHOOKS_THREADS", "16"}},
                  {{"limit_req zone=kheops_webhooks burst=500 nodelay;", ""}});
    const HttpHeaders headers = site.authorization("alice");
    const std::string url = site.nginx().url("/albums/DemoAlbum1/webhooks");
    const pid_t worker = site.worker().pid();
    const pid_t nginx = child_of(site.nginx().pid());

    const double worker_before = cpu_seconds(worker);
    const double nginx_before = cpu_seconds(nginx);
    std::vector<int> failed(kClients);
    {
        std::vector<std::jthread> clients;
        for (int& count : failed) {
            clients.emplace_back([&count, &url, &headers] { count = send_requests(url, headers); });
        }
    }
    int all_failed = 0;
    for (const int count : failed) {
        all_failed += count;
    }
    std::printf("%d requests by %d clients for an album of 5 webhooks, %d not answered with 200\n",
                kRequests, kClients, all_failed);
    std::printf("CPU time per request: worker %.1f us, nginx %.1f us\n",
                (cpu_seconds(worker) - worker_before) * 1e6 / kRequests,
                (cpu_seconds(nginx) - nginx_before) * 1e6 / kRequests);
    std::printf("resident memory of the worker with 16 threads: %.1f MiB\n",
                resident_mebibytes(worker));
    return all_failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace kheops::test

int main() {
    try {
        return kheops::test::measure();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "measure: %s\n", error.what());
        return 1;
    }
}
