// SPDX-License-Identifier: MIT

// /metrics and /health: for whom the worker answers them, what they tell, and that they need
// nothing that the other requests need.

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/metrics.hpp"
#include "support/psql.hpp"
#include "support/test_keys.hpp"
#include "support/test_provider.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

constexpr const char* kOperator = "KHEOPS_WEBHOOKS_OPERATOR";
constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
}

std::string request_with(const std::string& path, const Parameters& more) {
    Parameters parameters = get_parameters(path, "");
    parameters.insert(parameters.end(), more.begin(), more.end());
    return fastcgi_request(parameters, true);
}

std::string operator_request(const std::string& path) {
    return request_with(path, {{kOperator, "yes"}});
}

std::string list_request(const std::string& token) {
    return fastcgi_request(get_parameters(kList, token), true);
}

std::string ask(FastCgiClient& client, const std::string& request) {
    client.send(request);
    return client.receive_answer();
}

std::string ask(const TestWorker& worker, const std::string& request) {
    FastCgiClient client(worker.socket_path());
    return ask(client, request);
}

/// The text of /metrics.
std::string metrics_of(const TestWorker& worker) {
    const std::string answer = ask(worker, operator_request("/metrics"));
    EXPECT_EQ(status_of(answer), 200) << answer;
    return body_of(answer);
}

double metric_of(const TestWorker& worker, const std::string& name) {
    return metric(metrics_of(worker), name);
}

class Operator : public testing::Test {
  protected:
    TestDatabase database_{{"sql/schema.sql", "sql/example-data.sql"}};
    TestWorker worker_{{{"KHEOPS_WEBHOOKS_DATABASE", database_.conninfo()},
                        {"KHEOPS_WEBHOOKS_THREADS", "2"},
                        {"KHEOPS_WEBHOOKS_TIMEOUT", "20"}}};
};

TEST_F(Operator, WithoutItsParameterThePathsAre404) {
    const std::vector<Parameters> others = {{},
                                            {{kOperator, ""}},
                                            {{kOperator, "no"}},
                                            {{kOperator, "YES"}},
                                            {{kOperator, "yes "}},
                                            {{kOperator, "yesyes"}},
                                            {{"HTTP_KHEOPS_WEBHOOKS_OPERATOR", "yes"}},
                                            {{"kheops_webhooks_operator", "yes"}},
                                            {{"QUERY_STRING", "KHEOPS_WEBHOOKS_OPERATOR=yes"}}};
    for (const std::string path : {"/metrics", "/health", "/metrics/", "//metrics"}) {
        const std::string expected = ask(worker_, request_with("/nothing", {}));
        EXPECT_EQ(status_of(expected), 404);
        for (const Parameters& more : others) {
            EXPECT_EQ(ask(worker_, request_with(path, more)), expected) << path;
        }
    }
}

TEST_F(Operator, HealthIs200WithTheStateOfDatabaseAndKeys) {
    const std::string answer = ask(worker_, operator_request("/health"));
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_NE(answer.find("Content-Type: application/json\r\n"), std::string::npos) << answer;
    EXPECT_EQ(body_of(answer), R"({"status":"ok","database":"up","keys":"ok"})");
}

TEST_F(Operator, NoWebPageMayReadItsAnswers) {
    for (const std::string path : {"/metrics", "/health"}) {
        EXPECT_EQ(ask(worker_, operator_request(path)).find("Access-Control-"), std::string::npos);
    }
}

TEST_F(Operator, HeadIsAnsweredWithoutABody) {
    for (const std::string path : {"/metrics", "/health"}) {
        const std::string answer =
            ask(worker_,
                fastcgi_request(
                    {{"REQUEST_METHOD", "HEAD"}, {"PATH_INFO", path}, {kOperator, "yes"}}, true));
        EXPECT_EQ(status_of(answer), 200);
        EXPECT_EQ(body_of(answer), "");
    }
}

TEST_F(Operator, OtherMethodsAndPathsAreRefused) {
    for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
        const std::string answer =
            ask(worker_,
                fastcgi_request(
                    {{"REQUEST_METHOD", method}, {"PATH_INFO", "/metrics"}, {kOperator, "yes"}},
                    true, "a body"));
        EXPECT_EQ(status_of(answer), 405) << method;
        EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos) << answer;
    }
    for (const std::string path : {"/", "/metrics/", "/Health", kList}) {
        EXPECT_EQ(status_of(ask(worker_, operator_request(path))), 404) << path;
    }
    EXPECT_EQ(status_of(ask(worker_, operator_request(std::string("/health\0", 8)))), 404);
}

TEST_F(Operator, MetricsCountRequestsByStatusAndTheirTimes) {
    EXPECT_EQ(status_of(ask(worker_, list_request(mint_token("alice")))), 200);
    EXPECT_EQ(status_of(ask(worker_, list_request(mint_token("alice")))), 200);
    EXPECT_EQ(status_of(ask(worker_, list_request("a.b.c"))), 401);
    EXPECT_EQ(status_of(ask(worker_, request_with("/metrics", {}))), 404);
    const std::string text = metrics_of(worker_);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_requests_total{status="200"})"), 2);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_requests_total{status="401"})"), 1);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_requests_total{status="404"})"), 1);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_requests_total{status="503"})"), 0);
    EXPECT_EQ(metric(text, "kheops_webhooks_wait_seconds_count"), 4);
    EXPECT_EQ(metric(text, "kheops_webhooks_database_seconds_count"), 2);
    EXPECT_EQ(metric(text, "kheops_webhooks_request_seconds_count"), 4);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_request_seconds_bucket{le="+Inf"})"), 4);
    EXPECT_GT(metric(text, "kheops_webhooks_database_seconds_sum"), 0);
    EXPECT_GT(metric(text, "kheops_webhooks_request_seconds_sum"),
              metric(text, "kheops_webhooks_database_seconds_sum"));
    EXPECT_EQ(metric(text, "kheops_webhooks_requests_refused_total"), 0);
    EXPECT_EQ(metric(text, "kheops_webhooks_database_connections_open"), 1);
    EXPECT_EQ(metric(text, "kheops_webhooks_database_up"), 1);
    EXPECT_EQ(metric(text, "kheops_webhooks_keys_usable"), 1);
    EXPECT_EQ(metric(text, "kheops_webhooks_key_downloads_total"), 0);
    EXPECT_EQ(metric(text, "kheops_webhooks_log_lines_dropped_total"), 0);
}

TEST_F(Operator, ItsOwnRequestsAreNeitherCountedNorLogged) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(status_of(ask(worker_, operator_request("/health"))), 200);
        EXPECT_EQ(status_of(ask(worker_, operator_request("/nothing"))), 404);
    }
    const std::string text = metrics_of(worker_);
    EXPECT_EQ(metric(text, "kheops_webhooks_request_seconds_count"), 0);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_requests_total{status="404"})"), 0);
    ask(worker_, list_request("a.b.c"));
    worker_.await_log("status=401");
    EXPECT_EQ(worker_.log().find("/health"), std::string::npos) << worker_.log();
    EXPECT_EQ(worker_.log().find("status=404"), std::string::npos) << worker_.log();
}

TEST_F(Operator, MetricsTellWhatTheProcessUses) {
    const std::string text = metrics_of(worker_);
    const double mib = 1024 * 1024;
    EXPECT_GT(metric(text, "process_resident_memory_bytes"), mib);
    EXPECT_GT(metric(text, "process_virtual_memory_bytes"),
              metric(text, "process_resident_memory_bytes"));
    EXPECT_GT(metric(text, "process_cpu_seconds_total"), 0);
    EXPECT_GT(metric(text, "process_open_fds"), 3);
    EXPECT_GT(metric(text, "process_max_fds"), metric(text, "process_open_fds"));
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    EXPECT_NEAR(metric(text, "process_start_time_seconds"), now.count(), 600);
    EXPECT_EQ(metric(text, "process_start_time_seconds"),
              metric_of(worker_, "process_start_time_seconds"));
}

TEST_F(Operator, PromtoolFindsNothingInTheMetrics) {
    if (!is_installed("promtool")) {
        GTEST_SKIP() << "promtool is not installed (Debian package: prometheus)";
    }
    EXPECT_EQ(promtool_findings(metrics_of(worker_)), "");
}

TEST_F(Operator, IsAnsweredOnAConnectionThatBringsOtherRequestsToo) {
    FastCgiClient client(worker_.socket_path());
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(status_of(ask(client, list_request(mint_token("alice")))), 200);
        EXPECT_EQ(status_of(ask(client, operator_request("/metrics"))), 200);
    }
    EXPECT_EQ(metric_of(worker_, "kheops_webhooks_request_seconds_count"), 20);
}

TEST_F(Operator, IsAnsweredWhileAllThreadsAreBusyAndOthersAreRefused) {
    const auto lock = database_.lock_table("webhooks");
    const std::string list = list_request(mint_token("alice"));
    std::vector<std::unique_ptr<FastCgiClient>> others;
    await("a request is refused", [&] {
        // That takes seconds. Without this pause, so many clients come meanwhile that the 1024
        // descriptors that a program may usually have do not suffice.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        others.push_back(std::make_unique<FastCgiClient>(worker_.socket_path()));
        others.back()->send(list);
        return metric_of(worker_, "kheops_webhooks_requests_refused_total") > 0;
    });
    const std::string text = metrics_of(worker_);
    EXPECT_EQ(metric(text, "kheops_webhooks_requests_active"), 2);
    EXPECT_GE(metric(text, "kheops_webhooks_requests_waiting"), 1);
    EXPECT_EQ(metric(text, "kheops_webhooks_database_connections_in_use"), 2);
    EXPECT_GE(metric(text, "kheops_webhooks_connections_open"), 4);
    EXPECT_EQ(metric(text, "kheops_webhooks_wait_seconds_count"), 0);
    EXPECT_EQ(metric(text, R"(kheops_webhooks_requests_total{status="503"})"),
              metric(text, "kheops_webhooks_requests_refused_total"));
    EXPECT_EQ(status_of(ask(worker_, operator_request("/health"))), 200);

    lock->release();
    for (const auto& client : others) {
        EXPECT_NE(status_of(client->receive_answer()), 0);
    }
    others.clear();
    await("nothing is in hand", [&] {
        const std::string after = metrics_of(worker_);
        return metric(after, "kheops_webhooks_requests_active") == 0 &&
               metric(after, "kheops_webhooks_requests_waiting") == 0 &&
               metric(after, "kheops_webhooks_database_connections_in_use") == 0 &&
               metric(after, "kheops_webhooks_connections_open") == 1;
    });
}

TEST_F(Operator, MetricsTellWhetherTheDatabaseIsAccelerated) {
    EXPECT_EQ(status_of(ask(worker_, list_request(mint_token("alice")))), 200);
    EXPECT_EQ(metric_of(worker_, "kheops_webhooks_accelerated"), 0);
    ASSERT_EQ(run_script("sql/accelerate.sql", database_).status, 0);
    EXPECT_EQ(status_of(ask(worker_, list_request(mint_token("alice")))), 200);
    EXPECT_EQ(metric_of(worker_, "kheops_webhooks_accelerated"), 1);
}

TEST(OperatorDatabase, ThatIsDownMakesHealth503) {
    const TestWorker worker(Settings{{"KHEOPS_WEBHOOKS_DATABASE", "host=/nonexistent"}});
    EXPECT_EQ(status_of(ask(worker, operator_request("/health"))), 200);  // not known yet
    EXPECT_EQ(status_of(ask(worker, list_request(mint_token("alice")))), 503);
    const std::string answer = ask(worker, operator_request("/health"));
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_EQ(body_of(answer), R"({"status":"unavailable","database":"down","keys":"ok"})");
    EXPECT_EQ(metric_of(worker, "kheops_webhooks_database_up"), 0);
    EXPECT_EQ(metric_of(worker, "kheops_webhooks_database_connections_open"), 0);
}

TEST(OperatorKeys, ThatAreMissingMakeHealth503UntilTheProviderSendsThem) {
    TestProvider provider;
    provider.stop();
    const TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", "host=/nonexistent"},
                             {"KHEOPS_OIDC_PROVIDER", provider.url()}},
                            WorkerBuild::short_times);
    await("a download has failed",
          [&] { return metric_of(worker, "kheops_webhooks_key_download_failures_total") > 0; });
    const std::string answer = ask(worker, operator_request("/health"));
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_EQ(body_of(answer), R"({"status":"unavailable","database":"up","keys":"none"})");
    EXPECT_EQ(metric_of(worker, "kheops_webhooks_keys_usable"), 0);
    EXPECT_TRUE(std::isnan(metric_of(worker, "kheops_webhooks_keys_age_seconds")));

    provider.start();
    await("the keys are there",
          [&] { return status_of(ask(worker, operator_request("/health"))) == 200; });
    const std::string text = metrics_of(worker);
    EXPECT_EQ(metric(text, "kheops_webhooks_keys_usable"), 1);
    EXPECT_GE(metric(text, "kheops_webhooks_keys_age_seconds"), 0);
    EXPECT_GT(metric(text, "kheops_webhooks_key_downloads_total"),
              metric(text, "kheops_webhooks_key_download_failures_total"));
}

TEST(OperatorPeer, ThatDoesNotReadIsCutOffAndOthersAreAnswered) {
    const TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", "host=/nonexistent"},
                             {"KHEOPS_WEBHOOKS_TIMEOUT", "0.5"},
                             {"KHEOPS_WEBHOOKS_LOG", "debug"}});
    FastCgiClient silent(worker.socket_path());
    size_t sent = 0;
    await("the answers fill the socket", [&] {
        const std::string log = worker.log();
        size_t answers = 0;
        for (size_t at = log.find("event=operator_request"); at != std::string::npos;
             at = log.find("event=operator_request", at + 1)) {
            ++answers;
        }
        if (answers == sent) {
            silent.send(operator_request("/metrics"));
            ++sent;
        }
        return log.find("answer not written within the request's budget") != std::string::npos;
    });
    EXPECT_EQ(status_of(ask(worker, operator_request("/metrics"))), 200);
}

TEST(OperatorLog, HasItsRequestsAtLevelDebug) {
    const TestWorker worker(
        {{"KHEOPS_WEBHOOKS_DATABASE", "host=/nonexistent"}, {"KHEOPS_WEBHOOKS_LOG", "debug"}});
    EXPECT_EQ(status_of(ask(worker, operator_request("/metrics"))), 200);
    worker.await_log("event=operator_request level=debug path=/metrics status=200\n");
}

}  // namespace
}  // namespace kheops::test
