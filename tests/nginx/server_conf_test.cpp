// SPDX-License-Identifier: MIT

// nginx/kheops-webhooks.conf in a real nginx: what reaches the worker, and what nginx does itself.

#include <gtest/gtest.h>

#include "support/fake_worker.hpp"
#include "support/http_client.hpp"
#include "support/nginx.hpp"
#include "support/refusal.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr size_t kKibi = 1024;
const std::string kMuch(40 * kKibi, 'a');  // more than one of nginx's buffers
const std::string kBodyOver16MiB(17 * kKibi * kKibi, 'b');

std::string server_conf(const std::string& socket_path, std::vector<Substitution> more = {}) {
    more.push_back({"listen 127.0.0.1:8080;", "listen 127.0.0.1:@PORT@;"});
    more.push_back(
        {"server unix:/run/kheops-webhooks/worker.sock;", "server unix:" + socket_path + ";"});
    return nginx_file("kheops-webhooks.conf", more);
}

class ServerConf : public testing::Test {
  protected:
    HttpAnswer fetch(const std::string& method, const std::string& target,
                     const HttpHeaders& headers = {},
                     const std::optional<std::string>& body = std::nullopt) {
        return client_.fetch(method, nginx_.url(target), headers, body);
    }

    TemporaryDirectory directory_;
    std::string socket_path_ = directory_.file("worker.sock");
    FakeWorker worker_{socket_path_};
    TestNginx nginx_{server_conf(socket_path_)};
    HttpClient client_;
};

TEST_F(ServerConf, IsReadWithoutWarnings) {
    EXPECT_EQ(nginx_.error_log().find("[warn]"), std::string::npos) << nginx_.error_log();
}

TEST_F(ServerConf, PassesTheParametersThatTheWorkerReads) {
    const HttpAnswer answer = fetch("GET", std::string(kList) + "?limit=2&url=a%2Bb",
                                    {{"Accept", "application/json"},
                                     {"Authorization", "Bearer a.b.c"},
                                     {"If-None-Match", "\"a\""},
                                     {"X-Link-Authorization", "true"}});
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "worker");
    EXPECT_EQ(worker_.parameter("REQUEST_METHOD"), "GET");
    EXPECT_EQ(worker_.parameter("PATH_INFO"), kList);
    EXPECT_EQ(worker_.parameter("QUERY_STRING"), "limit=2&url=a%2Bb");
    EXPECT_EQ(worker_.parameter("HTTP_ACCEPT"), "application/json");
    EXPECT_EQ(worker_.parameter("HTTP_AUTHORIZATION"), "Bearer a.b.c");
    EXPECT_EQ(worker_.parameter("HTTP_IF_NONE_MATCH"), "\"a\"");
    EXPECT_EQ(worker_.parameter("HTTP_X_LINK_AUTHORIZATION"), "true");
    EXPECT_EQ(worker_.parameter("HTTP_X_FORWARDED_FOR"), "127.0.0.1");
    EXPECT_EQ(worker_.parameter("REMOTE_ADDR"), "127.0.0.1");
    EXPECT_EQ(worker_.parameter("REQUEST_ID").size(), 32U);
}

TEST_F(ServerConf, AppendsTheClientsAddressToXForwardedFor) {
    fetch("GET", kList, {{"X-Forwarded-For", "192.0.2.7, 198.51.100.1"}});
    EXPECT_EQ(worker_.parameter("HTTP_X_FORWARDED_FOR"), "192.0.2.7, 198.51.100.1, 127.0.0.1");
}

TEST_F(ServerConf, GivesEachRequestAnIdOfItsOwn) {
    fetch("GET", kList);
    const std::string first = worker_.parameter("REQUEST_ID");
    fetch("GET", kList);
    EXPECT_NE(worker_.parameter("REQUEST_ID"), first);
}

TEST_F(ServerConf, PassesThePathDecodedAndWithoutThePrefix) {
    const std::vector<std::pair<std::string, std::string>> paths = {
        {"/albums/DemoAlbum1/webhooks/", "/albums/DemoAlbum1/webhooks/"},
        {"/api/albums/DemoAlbum1/webhooks", "/albums/DemoAlbum1/webhooks"},
        {"/api/albums/DemoAlbum1/webhooks/", "/albums/DemoAlbum1/webhooks/"},
        {"/api/api/albums/DemoAlbum1/webhooks", "/api/albums/DemoAlbum1/webhooks"},
        {"/apix/albums/DemoAlbum1/webhooks", "/apix/albums/DemoAlbum1/webhooks"},
        {"/API/albums", "/API/albums"},
        {"/x/api/albums/DemoAlbum1/webhooks", "/x/api/albums/DemoAlbum1/webhooks"},
        {"/api", "/api"},
        {"/api/", "/"},
        {"/", "/"},
        {"/albums/DemoAlbum%31/webhooks", "/albums/DemoAlbum1/webhooks"},
        {"/albums%2FDemoAlbum1%2Fwebhooks", "/albums/DemoAlbum1/webhooks"},
        {"/api%2Falbums/DemoAlbum1/webhooks", "/albums/DemoAlbum1/webhooks"},
        {"/albums/a%3Fb%23c%25d/webhooks", "/albums/a?b#c%d/webhooks"},
        {"/api/albums/a%3Fb%23c%25d/webhooks", "/albums/a?b#c%d/webhooks"},
        {"/albums/%C3%A9+%20%FF/webhooks", "/albums/\xC3\xA9+ \xFF/webhooks"},
        {"/api/albums/DemoAlbum1/webhooks%0A", "/albums/DemoAlbum1/webhooks\n"},
        {"/api/%0Aalbums", "/\nalbums"},
        {"//albums///DemoAlbum1/webhooks", "/albums/DemoAlbum1/webhooks"},
        {"/api/x/../albums/./DemoAlbum1/webhooks", "/albums/DemoAlbum1/webhooks"},
    };
    for (const auto& [sent, passed] : paths) {
        SCOPED_TRACE(sent);
        EXPECT_EQ(fetch("GET", sent + "?q=%2F").body, "worker");
        EXPECT_EQ(worker_.parameter("PATH_INFO"), passed);
        EXPECT_EQ(worker_.parameter("QUERY_STRING"), "q=%2F");
    }
}

TEST_F(ServerConf, LeavesEveryMethodToTheWorker) {
    for (const std::string method : {"GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY"}) {
        SCOPED_TRACE(method);
        EXPECT_EQ(fetch(method, kList, {{"Accept", "*/*"}}).body, "worker");
        EXPECT_EQ(worker_.parameter("REQUEST_METHOD"), method);
        EXPECT_EQ(worker_.parameter("PATH_INFO"), kList);
        EXPECT_EQ(worker_.parameter("HTTP_ACCEPT"), "*/*");
    }
}

TEST_F(ServerConf, AnswersHeadWithTheHeadersOfGet) {
    const HttpAnswer answer = fetch("HEAD", kList);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("X-Answered-By"), "worker");
    EXPECT_EQ(answer.header("Content-Length"), "6");
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(worker_.parameter("REQUEST_METHOD"), "HEAD");
    EXPECT_EQ(fetch("GET", kList).body, "worker");
    EXPECT_EQ(client_.connections(), 1);
}

TEST_F(ServerConf, PassesALongTokenWithALongUrl) {
    const std::string token = "Bearer " + std::string(16 * kKibi, 't');
    std::string query = "limit=1&url=";
    while (query.size() < 12 * kKibi) {
        query += "%F0%9F%98%80";
    }
    EXPECT_EQ(fetch("GET", std::string(kList) + '?' + query, {{"Authorization", token}}).body,
              "worker");
    EXPECT_EQ(worker_.parameter("QUERY_STRING"), query);
    EXPECT_EQ(worker_.parameter("HTTP_AUTHORIZATION"), token);
}

TEST_F(ServerConf, ServesARequestWhoseOtherHeadersFillNginxBuffers) {
    const std::string much(31 * kKibi, 'c');
    const HttpAnswer answer = fetch("GET", kList,
                                    {{"Authorization", "Bearer a.b.c"},
                                     {"Cookie", much},
                                     {"X-One", much},
                                     {"X-Two", much},
                                     {"X-Three", much}});
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(worker_.parameter("HTTP_AUTHORIZATION"), "Bearer a.b.c");
    EXPECT_EQ(worker_.parameter("HTTP_COOKIE"), "");
}

TEST_F(ServerConf, AnswersARequestWithABodyAndDropsTheBody) {
    const std::string body(10 * kKibi * kKibi, 'b');
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(fetch("GET", kList, {{"Content-Type", "application/json"}}, body).body, "worker");
    }
    EXPECT_EQ(fetch("GET", kList, {}, std::nullopt).body, "worker");

    const auto requests = worker_.requests();
    ASSERT_EQ(requests.size(), 3U);
    for (const FastCgiRequest& request : requests) {
        EXPECT_EQ(request.body, "");
        EXPECT_EQ(request.parameters.count("CONTENT_LENGTH"), 0U);
    }
    EXPECT_EQ(worker_.connections(), 1U);
    EXPECT_EQ(client_.connections(), 1);
}

TEST_F(ServerConf, RefusesABodyOver16MiBInJson) {
    const HttpError expected(413, "Content Too Large", "The body is too long");
    for (const std::string method : {"GET", "POST", "OPTIONS"}) {
        SCOPED_TRACE(method);
        expect_refusal(fetch(method, kList, {}, kBodyOver16MiB), expected);
        expect_refusal(fetch(method, kList, {{"Transfer-Encoding", "chunked"}}, kBodyOver16MiB),
                       expected);
    }
    EXPECT_TRUE(worker_.requests().empty());
}

TEST_F(ServerConf, RefusesALongUriInJson) {
    const HttpError expected(414, "URI Too Long", "The path and the query are too long");
    expect_refusal(fetch("GET", '/' + kMuch), expected);
    expect_refusal(fetch("OPTIONS", std::string(kList) + "?url=" + kMuch), expected);
}

const HttpError kMalformed(
    400, "Bad Request",
    "The request line, a header or the body is malformed, repeated or too long");

TEST_F(ServerConf, RefusesAMalformedRequestInJson) {
    const HttpError& expected = kMalformed;
    expect_refusal(fetch("get", kList), expected);  // nginx reads the method before the path
    expect_refusal(fetch("GET", "/albums/%00/webhooks"), expected);
    expect_refusal(fetch("GET", kList, {{"Host", "a b"}}), expected);
    expect_refusal(fetch("GET", kList, {{"Authorization", "Bearer a"}, {"Authorization", "b"}}),
                   expected);
    expect_refusal(fetch("GET", kList, {{"Authorization", kMuch}}), expected);
}

TEST_F(ServerConf, RefusesAMalformedBodyInJson) {
    const std::string clients = directory_.file("clients.sock");
    const TestNginx nginx(server_conf(
        socket_path_, {{"server_name _;", "server_name _; listen unix:" + clients + ";"}}));
    for (const std::string method : {"GET", "OPTIONS"}) {
        const std::string answer = exchange_unix(
            clients, method + ' ' + kList +
                         " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n");
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\n" + error_response(kMalformed).body)) << answer;
    }
}

TEST_F(ServerConf, RefusesTraceInJson) {
    expect_refusal(fetch("TRACE", kList),
                   HttpError(405, "Method Not Allowed", "Allowed here: GET, HEAD, OPTIONS",
                             {{"Allow", "GET, HEAD, OPTIONS"}}));
}

TEST_F(ServerConf, RefusesParametersOver64KiBInJson) {
    const std::string much = kMuch.substr(0, 30 * kKibi);
    for (const std::string method : {"GET", "OPTIONS"}) {
        SCOPED_TRACE(method);
        const HttpAnswer answer = fetch(
            method, kList, {{"Authorization", much}, {"Accept", much}, {"X-Forwarded-For", much}});
        expect_internal_error(answer);
    }
}

TEST_F(ServerConf, AnswersARequestForTheErrorItselfAsAnyOtherPath) {
    for (const std::string method : {"GET", "POST", "OPTIONS"}) {
        expect_refusal(fetch(method, "/kheops-webhooks-error"),
                       HttpError(404, "Not Found", "There is nothing at this path"));
    }
}

TEST_F(ServerConf, KeepsItsConnectionToTheWorker) {
    for (int i = 0; i < 20; ++i) {
        fetch("GET", kList);
    }
    EXPECT_EQ(worker_.requests().size(), 20U);
    EXPECT_EQ(worker_.connections(), 1U);
}

TEST(ServerConfUpstream, IsUsedAtOnceAfterItsRestart) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    const TestNginx nginx(server_conf(socket_path));
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 502);
    for (int i = 0; i < 3; ++i) {
        const FakeWorker worker(socket_path);
        EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 200);
    }
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 502);
}

const HttpError kNoWorker(502, "Bad Gateway", "The service gave no valid answer");

TEST(ServerConfUpstream, GetsA502InJsonWhenItDoesNotRun) {
    const TemporaryDirectory directory;
    const TestNginx nginx(server_conf(directory.file("worker.sock")));
    for (const std::string target : {kList, "/index.html", "/api/albums"}) {
        expect_refusal(fetch("GET", nginx.url(target)), kNoWorker);
        expect_refusal(fetch("POST", nginx.url(target), {}, "body"), kNoWorker);
    }
    HttpAnswer head = fetch("HEAD", nginx.url(kList));
    EXPECT_EQ(head.body, "");
    head.body = error_response(kNoWorker).body;
    EXPECT_EQ(head.header("Content-Length"), std::to_string(head.body.size()));
    expect_refusal(head, kNoWorker);
}

TEST(ServerConfUpstream, GetsA502InJsonWhenItCrashes) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    const FakeWorker worker(socket_path, [](const FastCgiRequest&) { return ""; });
    const TestNginx nginx(server_conf(socket_path));
    expect_refusal(fetch("GET", nginx.url(kList)), kNoWorker);
}

/// nginx's own answer to a preflight request has the headers of the worker's.
void expect_preflight_answer(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(answer.header("Cache-Control"), "");
    for (const auto& [name, value] : cross_origin_headers()) {
        EXPECT_EQ(answer.all(name), std::vector<std::string>{value}) << name;
    }
}

TEST(ServerConfUpstream, GetsA504InJsonWhenItIsSilent) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    const Descriptor never_accepted = listen_unix(socket_path);
    const TestNginx nginx(
        server_conf(socket_path, {{"fastcgi_read_timeout 10s;", "fastcgi_read_timeout 20ms;"}}));
    expect_refusal(fetch("GET", nginx.url(kList)),
                   HttpError(504, "Gateway Timeout", "The service did not answer in time"));
    expect_preflight_answer(fetch("OPTIONS", nginx.url(kList)));
}

TEST(ServerConfUpstream, NeedNotRunForAPreflightRequest) {
    const TemporaryDirectory directory;
    const TestNginx nginx(server_conf(directory.file("worker.sock")));
    expect_preflight_answer(fetch("OPTIONS", nginx.url(kList)));
}

TEST(ServerConfUpstream, StatusIsPassedOn) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    // nginx.conf may have set this for other servers.
    const TestNginx nginx("fastcgi_intercept_errors on;" + server_conf(socket_path));
    for (const int status : {204, 400, 401, 403, 404, 405, 406, 500, 502, 503, 504}) {
        const FakeWorker worker(socket_path, [status](const FastCgiRequest&) {
            return "WWW-Authenticate: Bearer\r\nRetry-After: 7\r\n" +
                   to_cgi_text(status, status == 204 ? "" : "the worker's own");
        });
        const HttpAnswer answer = fetch("GET", nginx.url(kList));
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.header("Retry-After"), "7");
        EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer");
        EXPECT_EQ(answer.body, status == 204 ? "" : "the worker's own");
    }
}

TEST(ServerConfUpstream, LongAnswerIsPassedOnWhole) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    const std::string body(3 * kKibi * kKibi, '[');
    const FakeWorker worker(socket_path,
                            [&body](const FastCgiRequest&) { return to_cgi_text(200, body); });
    const TestNginx nginx(server_conf(socket_path));
    const HttpAnswer answer = fetch("GET", nginx.url(kList));
    EXPECT_EQ(answer.header("Content-Length"), std::to_string(body.size()));
    EXPECT_TRUE(answer.body == body);
}

TEST(ServerConfLimit, RequestsOverTheRateGet429) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    const FakeWorker worker(socket_path);
    // The real limit is hard to exceed; this one allows two requests within a minute.
    const TestNginx nginx(
        server_conf(socket_path, {{"rate=100r/s", "rate=1r/m"}, {"burst=500", "burst=1"}}));
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 200);
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 200);
    const HttpError expected(429, "Too Many Requests",
                             "There are too many requests from this address",
                             {{"Retry-After", "1"}});
    expect_refusal(fetch("GET", nginx.url(kList)), expected);
    EXPECT_EQ(worker.requests().size(), 2U);

    // Preflight requests are neither refused nor counted.
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(fetch("OPTIONS", nginx.url(kList)).status, 200);
    }
    expect_refusal(fetch("GET", nginx.url(kList)), expected);
}

TEST(ServerConfLimit, PreflightRequestsAreNotCounted) {
    const TemporaryDirectory directory;
    const std::string socket_path = directory.file("worker.sock");
    const FakeWorker worker(socket_path);
    const TestNginx nginx(
        server_conf(socket_path, {{"rate=100r/s", "rate=1r/m"}, {"burst=500", "burst=1"}}));
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(fetch("OPTIONS", nginx.url(kList)).status, 200);
    }
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 200);
}

TEST(ServerConfLimit, AnOperatorsOwn503IsInJson) {
    const TemporaryDirectory directory;
    const TestNginx nginx(
        server_conf(directory.file("worker.sock"),
                    {{"rate=100r/s", "rate=1r/m"},
                     {"burst=500 nodelay;\n        limit_req_status 429;", "burst=1 nodelay;"}}));
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 502);
    EXPECT_EQ(fetch("GET", nginx.url(kList)).status, 502);
    expect_refusal(fetch("GET", nginx.url(kList)),
                   HttpError(503, "Service Unavailable",
                             "There are too many requests at the moment", {{"Retry-After", "1"}}));
}

}  // namespace
}  // namespace kheops::test
