// SPDX-License-Identifier: MIT

// nginx/kheops-operator.conf beside the complete server and beside the drop-in: this machine's
// programs reach /metrics and /health, clients do not, whatever they send.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fake_worker.hpp"
#include "support/files.hpp"
#include "support/http_client.hpp"
#include "support/metrics.hpp"
#include "support/nginx.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr const char* kSocket = "server unix:/run/kheops-webhooks/worker.sock;";

std::string complete_server(const std::string& socket_path) {
    return nginx_file("kheops-webhooks.conf",
                      {{"listen 127.0.0.1:8080;", "listen 127.0.0.1:@PORT@;"},
                       {"rate=100r/s", "rate=10000r/s"},
                       {kSocket, "server unix:" + socket_path + ";"}});
}

/// The drop-in in a server that answers what is Kheops' with 203. Writes its second part into
/// `directory`.
std::string drop_in_server(const std::string& socket_path, const TemporaryDirectory& directory) {
    const std::string location = directory.file("location.conf");
    write_file(location, nginx_file("kheops-drop-in-location.conf",
                                    {{"http://kheopsauthorization:8080;", "http://127.0.0.1:1;"}}));
    return nginx_file("kheops-drop-in.conf", {{kSocket, "server unix:" + socket_path + ";"}}) +
           R"(
        server {
            listen 127.0.0.1:@PORT@;
            error_page 490 = @kheopsAuthorization;
            location /api { return 490; }
            location @kheopsAuthorization { return 203; }
            include )" +
           location + ";}\n";
}

std::string operator_server(const std::string& socket_path) {
    return nginx_file("kheops-operator.conf",
                      {{"listen 127.0.0.1:8081;", "listen 127.0.0.1:@OPERATOR_PORT@;"},
                       {"fastcgi_pass unix:/run/kheops-webhooks/worker.sock;",
                        "fastcgi_pass unix:" + socket_path + ";"}});
}

std::string operator_url(const TestNginx& nginx, const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(nginx.operator_port()) + path;
}

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    EXPECT_EQ(::inet_pton(AF_INET, host.c_str(), &address.sin_addr), 1);
    return address;
}

/// The status of a GET of /metrics that comes from the address `from`; 0 if there is no connection.
int status_between(const std::string& from, const std::string& to, std::uint16_t port) {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in source = address_of(from, 0);
    const sockaddr_in target = address_of(to, port);
    EXPECT_EQ(::bind(socket.number(), reinterpret_cast<const sockaddr*>(&source), sizeof source),
              0);
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&target), sizeof target) !=
        0) {
        return 0;
    }
    const std::string request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(::send(socket.number(), request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    std::string answer(12, ' ');  // HTTP/1.1 200
    EXPECT_EQ(::recv(socket.number(), answer.data(), answer.size(), MSG_WAITALL), 12);
    return std::stoi(answer.substr(9));
}

/// Targets by which a client may try to reach /metrics and /health.
std::vector<std::string> hostile_targets() {
    std::vector<std::string> targets;
    for (const std::string name : {"metrics", "health"}) {
        for (const std::string before :
             {"/", "//", "/./", "/x/../", "/x/%2e%2e/", "/%2e/", "/../", "/%2F", "/api/", "/api//",
              "/api/../", "/api/api/", "/api%2F", "/API/", "/authorization/",
              "/api/albums/DemoAlbum1/webhooks/", "/api/albums/DemoAlbum1/webhooks/../../../",
              "/api/albums/DemoAlbum1/webhooks%2F..%2F..%2F..%2F",
              "/albums/DemoAlbum1/webhooks/../../../"}) {
            targets.push_back(before + name);
        }
        for (const std::string after : {"/", "//", "%2F", "?", "%3F", "%00", "%0A", "%20", ";a=b",
                                        ".", "/.", "/x/..", "?KHEOPS_WEBHOOKS_OPERATOR=yes"}) {
            targets.push_back('/' + name + after);
            targets.push_back("/api/" + name + after);
        }
    }
    targets.insert(targets.end(), {"/Metrics", "/METRICS", "/%6Detrics", "/%6detrics", "/healt%68",
                                   "/%2562etrics", kList, std::string("/api") + kList});
    return targets;
}

std::vector<HttpHeaders> hostile_headers(const TestNginx& nginx) {
    const std::string name = "127.0.0.1:" + std::to_string(nginx.operator_port());
    const std::pair<std::string, std::string> token = {"Authorization", "Bearer eyJh.eyJz.c2ln"};
    return {{token},
            {token, {"KHEOPS_WEBHOOKS_OPERATOR", "yes"}, {"Kheops-Webhooks-Operator", "yes"}},
            {token, {"Host", name}, {"X-Forwarded-Host", name}},
            {token,
             {"X-Forwarded-For", "127.0.0.1"},
             {"X-Real-IP", "127.0.0.1"},
             {"Forwarded", "for=127.0.0.1"}},
            {token,
             {"X-Original-URL", "/metrics"},
             {"X-Rewrite-URL", "/metrics"},
             {"X-Accel-Redirect", "/metrics"}}};
}

enum class Beside { complete_server, drop_in };

class OperatorServer : public testing::TestWithParam<Beside> {
  protected:
    [[nodiscard]] std::string clients_server() const {
        return GetParam() == Beside::complete_server ? complete_server(socket_path_)
                                                     : drop_in_server(socket_path_, directory_);
    }

    TemporaryDirectory directory_;
    std::string socket_path_ = directory_.file("worker.sock");
    TestNginx nginx_{clients_server() + operator_server(socket_path_)};
};

TEST_P(OperatorServer, IsReadWithoutWarnings) {
    EXPECT_EQ(nginx_.error_log().find("[warn]"), std::string::npos) << nginx_.error_log();
}

TEST_P(OperatorServer, TellsTheWorkerThatTheRequestIsAnOperators) {
    const FakeWorker worker(socket_path_);
    for (const std::string path : {"/metrics", "/health"}) {
        EXPECT_EQ(fetch("GET", operator_url(nginx_, path), {{"Cookie", "a"}}).body, "worker");
        const std::map<std::string, std::string> expected = {
            {"KHEOPS_WEBHOOKS_OPERATOR", "yes"}, {"PATH_INFO", path}, {"REQUEST_METHOD", "GET"}};
        std::map<std::string, std::string> parameters = worker.requests().back().parameters;
        parameters.erase("HTTP_HOST");  // nginx 1.30 adds it
        EXPECT_EQ(parameters, expected);
    }
}

TEST_P(OperatorServer, NoRequestOfAClientIsAnOperators) {
    const FakeWorker worker(socket_path_);
    HttpClient client;
    for (const std::string& target : hostile_targets()) {
        for (const HttpHeaders& headers : hostile_headers(nginx_)) {
            for (const std::string method : {"GET", "POST"}) {
                static_cast<void>(client.fetch(method, nginx_.url(target), headers));
            }
        }
    }
    const std::vector<FastCgiRequest> requests = worker.requests();
    EXPECT_GE(requests.size(), hostile_headers(nginx_).size());
    for (const FastCgiRequest& request : requests) {
        for (const auto& [name, value] : request.parameters) {
            EXPECT_EQ(name.find("OPERATOR"), std::string::npos)
                << name << '=' << value << ": " << request.parameters.at("PATH_INFO");
        }
    }
}

TEST_P(OperatorServer, AnswersUnderTheNamesOfThisMachineOnly) {
    const FakeWorker worker(socket_path_);
    const auto status_as = [&](const std::string& host) {
        return fetch("GET", operator_url(nginx_, "/metrics"), {{"Host", host}}).status;
    };
    EXPECT_EQ(status_as("localhost:8081"), 200);
    EXPECT_EQ(status_as("127.0.0.1"), 200);
    EXPECT_EQ(status_as("page.example"), 421);
    EXPECT_EQ(status_as("localhost.page.example:8081"), 421);
}

TEST_P(OperatorServer, ListensToThisMachineAlone) {
    const FakeWorker worker(socket_path_);
    const std::uint16_t port = nginx_.operator_port();
    EXPECT_EQ(status_between("127.0.0.1", "127.0.0.1", port), 200);
    // The whole of 127.0.0.0/8 is this machine, so 127.0.0.2 stands for its other addresses.
    EXPECT_EQ(status_between("127.0.0.2", "127.0.0.2", port), 0);
    EXPECT_EQ(status_between("127.0.0.2", "127.0.0.1", port), 403);
}

INSTANTIATE_TEST_SUITE_P(Files, OperatorServer,
                         testing::Values(Beside::complete_server, Beside::drop_in),
                         [](const testing::TestParamInfo<Beside>& beside) {
                             return beside.param == Beside::complete_server ? "CompleteServer"
                                                                            : "DropIn";
                         });

/// Everything real.
class OperatorSite : public testing::Test {
  protected:
    [[nodiscard]] std::string metrics() const {
        const HttpAnswer answer = fetch("GET", operator_url(nginx_, "/metrics"));
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.body;
    }

    TestDatabase database_{{"sql/schema.sql", "sql/example-data.sql"}};
    TestWorker worker_{{{"KHEOPS_WEBHOOKS_DATABASE", database_.conninfo()},
                        {"KHEOPS_WEBHOOKS_THREADS", "2"},
                        {"KHEOPS_WEBHOOKS_TIMEOUT", "20"}}};
    TestNginx nginx_{complete_server(worker_.socket_path()) +
                     operator_server(worker_.socket_path())};
};

TEST_F(OperatorSite, NoClientReadsMetricsOrHealth) {
    HttpClient client;
    for (const std::string& target : hostile_targets()) {
        for (const HttpHeaders& headers : hostile_headers(nginx_)) {
            const HttpAnswer answer = client.fetch("GET", nginx_.url(target), headers);
            EXPECT_GE(answer.status, 400) << target;
            EXPECT_EQ(answer.body.find("process_"), std::string::npos) << target;
            EXPECT_EQ(answer.body.find("\"database\""), std::string::npos) << target;
        }
    }
    EXPECT_EQ(metric(metrics(), R"(kheops_webhooks_requests_total{status="200"})"), 0);
}

TEST_F(OperatorSite, AnswersWhileAllThreadsAreBusyAndWhileTheDatabaseIsDown) {
    const HttpHeaders headers = {{"Authorization", "Bearer " + mint_token("alice")}};
    auto lock = database_.lock_table("webhooks");
    std::vector<std::unique_ptr<ChildProcess>> others;
    await("all threads are busy and a request waits", [&] {
        others.push_back(std::make_unique<ChildProcess>(Command{
            .arguments = {"curl", "-s", "-H", headers.front().first + ": " + headers.front().second,
                          nginx_.url(kList)},
            .standard_output = "/dev/null",
            .standard_error = "/dev/null"}));
        const std::string text = metrics();
        return metric(text, "kheops_webhooks_requests_active") == 2 &&
               metric(text, "kheops_webhooks_requests_waiting") > 0;
    });
    EXPECT_EQ(fetch("GET", operator_url(nginx_, "/health")).status, 200);
    others.clear();
    lock->release();
    lock.reset();

    database_.rename_away();
    await("the database is down", [&] {
        static_cast<void>(fetch("GET", nginx_.url(kList), headers));
        return fetch("GET", operator_url(nginx_, "/health")).status == 503;
    });
    EXPECT_EQ(metric(metrics(), "kheops_webhooks_database_up"), 0);
    database_.rename_back();
    await("the database is up",
          [&] { return fetch("GET", operator_url(nginx_, "/health")).status == 200; });
}

TEST_F(OperatorSite, ARealPrometheusReadsTheMetrics) {
    if (!is_installed("prometheus")) {
        GTEST_SKIP() << "prometheus is not installed (Debian package: prometheus)";
    }
    const TemporaryDirectory directory;
    write_file(directory.file("prometheus.yml"),
               "scrape_configs:\n"
               "  - job_name: kheops-webhooks\n"
               "    scrape_interval: 1s\n"
               "    static_configs:\n"
               "      - targets: ['127.0.0.1:" +
                   std::to_string(nginx_.operator_port()) + "']\n");
    const std::string log = directory.file("log");
    write_file(log, "");
    const ChildProcess prometheus(
        {.arguments = {"prometheus", "--config.file=" + directory.file("prometheus.yml"),
                       "--storage.tsdb.path=" + directory.file("data"),
                       "--web.listen-address=127.0.0.1:0"},
         .standard_output = log,
         .standard_error = log});
    std::string address;
    await("Prometheus listens", [&] {
        const std::string text = read_file(log);
        const size_t line = text.find("msg=\"Listening on\"");
        const std::string before = "address=";
        const size_t at = text.find(before, line);
        const size_t end = text.find('\n', at);
        if (line == std::string::npos || at == std::string::npos || end == std::string::npos) {
            return false;
        }
        address = text.substr(at + before.size(), end - at - before.size());
        return true;
    });
    std::string found;
    await("Prometheus has the metrics", [&] {
        found = fetch("GET", "http://" + address + "/api/v1/query?query=kheops_webhooks_build_info")
                    .body;
        return found.find("\"version\":\"") != std::string::npos;
    });
    EXPECT_NE(found.find("\"job\":\"kheops-webhooks\""), std::string::npos) << found;
    EXPECT_NE(fetch("GET", "http://" + address + "/api/v1/targets").body.find("\"lastError\":\"\""),
              std::string::npos);
}

}  // namespace
}  // namespace kheops::test
