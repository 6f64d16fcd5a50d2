// SPDX-License-Identifier: MIT

// nginx/kheops-drop-in.conf and -location.conf in a real nginx whose server has the shape of
// Kheops' ReverseProxy: what goes to the worker, what stays with Kheops, and what falls back to it.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <future>
#include <latch>

#include "support/fake_worker.hpp"
#include "support/files.hpp"
#include "support/http_client.hpp"
#include "support/nginx.hpp"
#include "support/refusal.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/api/albums/DemoAlbum1/webhooks";
constexpr const char* kToken = "Bearer eyJh.eyJz.c2ln-_";
constexpr size_t kKibi = 1024;
constexpr int kMaxFallbacks = 8;

enum class DropIn { off, on };

/// An nginx with the drop-in, for a worker at directory/worker.sock and a Kheops at
/// directory/kheops.sock.
std::string reverse_proxy(const TemporaryDirectory& directory, DropIn drop_in = DropIn::on,
                          std::vector<Substitution> more = {},
                          std::vector<Substitution> more_of_part_1 = {}) {
    const std::string kheops = "http://unix:" + directory.file("kheops.sock");
    more.push_back({"proxy_pass http://kheopsauthorization:8080;", "proxy_pass " + kheops + ";"});
    const std::string location = directory.file("location.conf");
    write_file(location, nginx_file("kheops-drop-in-location.conf", more));

    more_of_part_1.push_back({"server unix:/run/kheops-webhooks/worker.sock;",
                              "server unix:" + directory.file("worker.sock") + ";"});
    const std::string http_level = nginx_file("kheops-drop-in.conf", more_of_part_1);
    return http_level + R"(
        limit_conn_zone $server_name zone=servers:1m;
        server {
            listen 127.0.0.1:@PORT@;
            listen unix:)" +
           directory.file("clients.sock") + R"(;
            server_name kheops.example.org;
            limit_conn servers 1000;
            client_max_body_size 20000m;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            error_page 490 = @kheopsAuthorization;
            error_page 400 404 413 414 500 502 503 504 /error-of-kheops;
            location = /error-of-kheops { return 200 "error of kheops"; }
            location /api { return 490; }
            location ~ ^/api/link/(?<link_token>[^/]+)(?<link_rest>/.*)$ {
                proxy_set_header Authorization "Bearer $link_token";
                proxy_set_header X-Link-Authorization true;
                rewrite ^ /api$link_rest break;
                proxy_pass http://127.0.0.1:@PORT@;
            }
            location @kheopsAuthorization {
                rewrite ^/api(.*)$ /authorization$1 break;
                proxy_pass )" +
           kheops + R"(;
            }
            )" +
           (drop_in == DropIn::on ? "" : "#") + "include " + location + R"(;
        })";
}

/// A server in place of Kheops. The headers of its answers name it and the request.
std::string fake_kheops(const TemporaryDirectory& directory) {
    return R"(
        server {
            listen unix:)" +
           directory.file("kheops.sock") + R"(;
            client_max_body_size 0;
            add_header X-Answered-By kheops always;
            add_header X-Asked "$request_method $request_uri" always;
            add_header X-Sender "$http_x_forwarded_for; $http_authorization" always;
            add_header X-Length "$content_length" always;
            return 203 "kheops";
        })";
}

class DropInTest : public testing::Test {
  protected:
    static HttpHeaders with_token() { return {{"Authorization", kToken}}; }

    TemporaryDirectory directory_;
    std::string worker_socket_ = directory_.file("worker.sock");
};

void expect_from_worker(const HttpAnswer& answer) {
    EXPECT_EQ(answer.header("X-Answered-By"), "worker");
}

void expect_from_kheops(const HttpAnswer& answer, const std::string& asked) {
    EXPECT_EQ(answer.status, 203);
    EXPECT_EQ(answer.header("X-Answered-By"), "kheops");
    EXPECT_EQ(answer.header("X-Asked"), asked);
}

/// The headers without Date, which differs between any two answers.
HttpHeaders comparable(const HttpAnswer& answer) {
    HttpHeaders headers = answer.headers;
    std::erase_if(headers, [](const auto& header) { return header.first == "Date"; });
    return headers;
}

void expect_same(const HttpAnswer& answer, const HttpAnswer& expected) {
    EXPECT_EQ(answer.status, expected.status);
    EXPECT_EQ(answer.body, expected.body);
    EXPECT_EQ(comparable(answer), comparable(expected));
}

TEST_F(DropInTest, IsReadWithoutWarnings) {
    const TestNginx nginx(reverse_proxy(directory_));
    EXPECT_EQ(nginx.error_log().find("[warn]"), std::string::npos) << nginx.error_log();
}

struct Row {
    std::string method;
    std::string target;
    std::string authorization;  // empty: no such header
    bool to_worker;
};

TEST_F(DropInTest, SendsListRequestsToTheWorkerAndTheRestToKheops) {
    const std::string list = kList;
    const std::string token = kToken;
    const std::vector<Row> rows = {
        {"GET", list, token, true},
        {"HEAD", list, token, true},
        {"GET", list + "/", token, true},
        {"GET", list + "?limit=1&url=%2F", token, true},
        {"GET", "/api/albums/DemoAlbum%31/webhooks", token, true},
        {"GET", "/api//albums/DemoAlbum1//webhooks", token, true},
        {"GET", list, "bearer a.b.c", true},
        {"GET", list, "BEARER   a.b.c", true},
        {"GET", list, "Bearer a.b.", true},
        {"GET", "/api/link/a.b.c/albums/DemoAlbum1/webhooks", "", true},

        // Other methods.
        {"OPTIONS", list, token, false},
        {"POST", list, token, false},
        {"PUT", list, token, false},
        {"PATCH", list, token, false},
        {"DELETE", list, token, false},
        {"GETS", list, token, false},
        {"TARGET", list, token, false},

        // Other tokens.
        {"GET", list, "", false},
        {"GET", list, "Bearer", false},
        {"GET", list, "Bearer VKnAzi3XQAAAAAAAAAAAAA", false},
        {"GET", list, "Bearer a.b", false},
        {"GET", list, "Bearer a.b.c.d", false},
        {"GET", list, "Bearer a.b.c.d.e", false},
        {"GET", list, "Bearer ..", false},
        {"GET", list, "Bearer a.b.c=", false},
        {"GET", list, "Bearer a.b.c x", false},
        {"GET", list, "Bearer undefined", false},
        {"GET", list, "Bearera.b.c", false},
        {"GET", list, "Basic YTpiLmMuZA==", false},
        {"GET", list, "Basic a.b.c", false},
        {"GET", list, "x Bearer a.b.c", false},
        {"GET", "/api/link/VKnAzi3XQAAAAAAAAAAAAA/albums/DemoAlbum1/webhooks", "", false},

        // Other paths.
        {"GET", "/api/albums", token, false},
        {"GET", "/api/albums/DemoAlbum1", token, false},
        {"GET", list + "//x", token, false},
        {"GET", list + "/XiGkz7ACCs62Vn8zrTVh", token, false},
        {"GET", list + "x", token, false},
        {"GET", list + "%0A", token, false},
        {"GET", list + ";a=b", token, false},
        {"GET", "/api/albums/DemoAlbum/webhooks", token, false},
        {"GET", "/api/albums/DemoAlbum12/webhooks", token, false},
        {"GET", "/api/albums/DemoAlbum-/webhooks", token, false},
        {"GET", "/api/albums/DemoAlbum1/Webhooks", token, false},
        {"GET", "/api/studies/albums/DemoAlbum1/webhooks", token, false},
        {"GET", "/apix/albums/DemoAlbum1/webhooks", token, false},
        {"GET", "/albums/DemoAlbum1/webhooks", token, false},
    };
    const FakeWorker worker(worker_socket_);
    const TestNginx after(reverse_proxy(directory_) + fake_kheops(directory_));
    const TemporaryDirectory other;
    const TestNginx before(reverse_proxy(other, DropIn::off) + fake_kheops(other));
    for (const Row& row : rows) {
        SCOPED_TRACE(row.method + ' ' + row.target + ' ' + row.authorization);
        HttpHeaders headers;
        if (!row.authorization.empty()) {
            headers.emplace_back("Authorization", row.authorization);
        }
        const size_t asked = worker.requests().size();
        const HttpAnswer answer = fetch(row.method, after.url(row.target), headers);
        EXPECT_EQ(worker.requests().size(), asked + (row.to_worker ? 1 : 0));
        if (row.to_worker) {
            expect_from_worker(answer);
        } else {
            expect_same(answer, fetch(row.method, before.url(row.target), headers));
        }
    }
    EXPECT_EQ(after.error_log().find("uninitialized"), std::string::npos) << after.error_log();
}

TEST_F(DropInTest, IsSwitchedOffByOneLine) {
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(reverse_proxy(directory_, DropIn::off) + fake_kheops(directory_));
    expect_from_kheops(fetch("GET", nginx.url(kList), with_token()),
                       "GET /authorization/albums/DemoAlbum1/webhooks");
    EXPECT_TRUE(worker.requests().empty());
}

TEST_F(DropInTest, PassesTheParametersThatTheWorkerReads) {
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(reverse_proxy(directory_));
    fetch("GET", nginx.url("/api//albums/DemoAlbum%31/webhooks/?limit=2&url=a%2Bb"),
          {{"Accept", "application/json"},
           {"Authorization", kToken},
           {"If-None-Match", "\"a\""},
           {"X-Forwarded-For", "192.0.2.7"}});
    EXPECT_EQ(worker.parameter("REQUEST_METHOD"), "GET");
    EXPECT_EQ(worker.parameter("PATH_INFO"), "/albums/DemoAlbum1/webhooks/");
    EXPECT_EQ(worker.parameter("QUERY_STRING"), "limit=2&url=a%2Bb");
    EXPECT_EQ(worker.parameter("HTTP_ACCEPT"), "application/json");
    EXPECT_EQ(worker.parameter("HTTP_AUTHORIZATION"), kToken);
    EXPECT_EQ(worker.parameter("HTTP_IF_NONE_MATCH"), "\"a\"");
    EXPECT_EQ(worker.parameter("HTTP_X_LINK_AUTHORIZATION"), "");
    EXPECT_EQ(worker.parameter("HTTP_X_FORWARDED_FOR"), "192.0.2.7, 127.0.0.1");
    EXPECT_EQ(worker.parameter("REMOTE_ADDR"), "127.0.0.1");
    EXPECT_EQ(worker.parameter("REQUEST_ID").size(), 32U);
}

TEST_F(DropInTest, PassesThatATokenCameByLink) {
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(reverse_proxy(directory_));
    fetch("GET", nginx.url("/api/link/a.b.c/albums/DemoAlbum1/webhooks?limit=1"));
    EXPECT_EQ(worker.parameter("PATH_INFO"), "/albums/DemoAlbum1/webhooks");
    EXPECT_EQ(worker.parameter("QUERY_STRING"), "limit=1");
    EXPECT_EQ(worker.parameter("HTTP_AUTHORIZATION"), "Bearer a.b.c");
    EXPECT_EQ(worker.parameter("HTTP_X_LINK_AUTHORIZATION"), "true");
}

TEST_F(DropInTest, PassesALongTokenAndALongUrlAmongLongHeaders) {
    const std::string token = "Bearer " + std::string(8 * kKibi, 't') + '.' +
                              std::string(7 * kKibi, 't') + '.' + std::string(kKibi, 't');
    std::string query = "url=";
    while (query.size() < 12 * kKibi) {
        query += "%F0%9F%98%80";
    }
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(reverse_proxy(directory_));
    expect_from_worker(fetch("GET", nginx.url(std::string(kList) + '?' + query),
                             {{"Authorization", token},
                              {"Cookie", std::string(31 * kKibi, 'c')},
                              {"X-One", std::string(31 * kKibi, 'c')}}));
    EXPECT_EQ(worker.parameter("QUERY_STRING"), query);
    EXPECT_EQ(worker.parameter("HTTP_AUTHORIZATION"), token);
}

TEST_F(DropInTest, DropsTheBodyOfAGetAndPassesThatOfAPost) {
    const std::string body(10 * kKibi * kKibi, 'b');
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(reverse_proxy(directory_) + fake_kheops(directory_));
    HttpClient client;
    expect_from_worker(client.fetch("GET", nginx.url(kList), with_token(), body));
    EXPECT_EQ(worker.requests().at(0).body, "");
    const HttpAnswer posted = client.fetch("POST", nginx.url(kList), with_token(), body);
    expect_from_kheops(posted, "POST /authorization/albums/DemoAlbum1/webhooks");
    EXPECT_EQ(posted.header("X-Length"), std::to_string(body.size()));
    expect_from_worker(client.fetch("GET", nginx.url(kList), with_token()));
}

TEST_F(DropInTest, RefusesABodyOver16MiBInJson) {
    const TestNginx nginx(reverse_proxy(directory_));
    const HttpError expected(413, "Content Too Large", "The body is too long");
    const std::string body(17 * kKibi * kKibi, 'b');
    expect_refusal(fetch("GET", nginx.url(kList), with_token(), body), expected);
    HttpHeaders headers = with_token();
    headers.emplace_back("Transfer-Encoding", "chunked");
    expect_refusal(fetch("GET", nginx.url(kList), headers, body), expected);
}

TEST_F(DropInTest, RefusesAMalformedBodyInJson) {
    const TestNginx nginx(reverse_proxy(directory_));
    const std::string answer = exchange_unix(
        directory_.file("clients.sock"),
        "GET " + std::string(kList) + " HTTP/1.1\r\nHost: kheops\r\nAuthorization: " + kToken +
            "\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n");
    const HttpError expected(400, "Bad Request",
                             "The request line, a header or the body is malformed, repeated or too "
                             "long");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + error_response(expected).body)) << answer;
}

TEST_F(DropInTest, RefusesParametersOver64KiBInJson) {
    const TestNginx nginx(reverse_proxy(directory_));
    const std::string much(30 * kKibi, 'a');
    const HttpAnswer answer = fetch("GET", nginx.url(kList),
                                    {{"Authorization", "Bearer " + much + ".b.c"},
                                     {"Accept", much},
                                     {"X-Forwarded-For", much}});
    expect_internal_error(answer);
}

TEST_F(DropInTest, RequestsOverTheRateGet429InJson) {
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(
        reverse_proxy(directory_, DropIn::on,
                      {{"#limit_req zone=kheops_webhooks_clients burst=500 nodelay;",
                        "limit_req zone=kheops_webhooks_clients burst=1 nodelay;"},
                       {"#limit_req_status 429;", "limit_req_status 429;"}},
                      {{"#limit_req_zone", "limit_req_zone"}, {"rate=100r/s", "rate=1r/m"}}) +
        fake_kheops(directory_));
    expect_from_worker(fetch("GET", nginx.url(kList), with_token()));
    expect_from_worker(fetch("GET", nginx.url(kList), with_token()));
    expect_refusal(
        fetch("GET", nginx.url(kList), with_token()),
        HttpError(429, "Too Many Requests", "There are too many requests from this address",
                  {{"Retry-After", "1"}}));
    EXPECT_EQ(worker.requests().size(), 2U);
    expect_from_kheops(fetch("OPTIONS", nginx.url(kList), with_token()),
                       "OPTIONS /authorization/albums/DemoAlbum1/webhooks");
}

TEST_F(DropInTest, LeavesTheErrorsOfKheopsAsTheyAre) {
    const TestNginx after(reverse_proxy(directory_));
    const TemporaryDirectory other;
    const TestNginx before(reverse_proxy(other, DropIn::off));
    const std::string list = kList;
    const std::string much(40 * kKibi, 'a');
    const std::vector<std::tuple<std::string, std::string, int>> refused = {
        {"GET", list, 502},
        {"POST", list, 502},
        {"OPTIONS", list, 502},
        {"GET", "/api/albums", 502},
        {"OPTIONS", "/api/albums", 502},
        {"GET", "/nothing", 404},
        {"get", list, 400},
        {"GET", list + "%00", 400},
        {"GET", list + much, 414},
        {"TRACE", list, 405},
    };
    for (const auto& [method, target, status] : refused) {
        SCOPED_TRACE(method + ' ' + target.substr(0, list.size() + 3));
        const HttpAnswer answer = fetch(method, after.url(target));
        EXPECT_EQ(answer.status, status);
        expect_same(answer, fetch(method, before.url(target)));
    }
    // In the right place: it is Kheops' server that has an answer of its own to some.
    EXPECT_EQ(fetch("get", after.url(list)).body, "error of kheops");
}

TEST_F(DropInTest, KeepsItsConnectionToTheWorker) {
    const FakeWorker worker(worker_socket_);
    const TestNginx nginx(reverse_proxy(directory_));
    for (int i = 0; i < 20; ++i) {
        expect_from_worker(fetch("GET", nginx.url(kList), with_token()));
    }
    EXPECT_EQ(worker.connections(), 1U);
}

TEST_F(DropInTest, PassesOnEveryStatusOfTheWorker) {
    const TestNginx nginx(reverse_proxy(directory_) + fake_kheops(directory_));
    for (const int status : {200, 400, 401, 403, 404, 405, 406, 490, 500, 502, 503, 504}) {
        const FakeWorker worker(worker_socket_, [status](const FastCgiRequest&) {
            return "Retry-After: 7\r\n" + to_cgi_text(status, "the worker's own");
        });
        const HttpAnswer answer = fetch("GET", nginx.url(kList), with_token());
        expect_from_worker(answer);
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.header("Retry-After"), "7");
        EXPECT_EQ(answer.body, "the worker's own");
    }
}

/// Whatever is wrong with the worker, Kheops gets the request that it gets without the drop-in.
class DropInFallback : public DropInTest {
  protected:
    void expect_fallback(const std::vector<Substitution>& more = {}) {
        const TestNginx nginx(reverse_proxy(directory_, DropIn::on, more) +
                              fake_kheops(directory_));
        const HttpAnswer answer =
            fetch("GET", nginx.url(std::string(kList) + "/?limit=1&url=a%2Bb"),
                  {{"Authorization", kToken}, {"X-Forwarded-For", "192.0.2.7"}});
        expect_from_kheops(answer,
                           "GET /authorization/albums/DemoAlbum1/webhooks/?limit=1&url=a%2Bb");
        EXPECT_EQ(answer.header("X-Sender"), "192.0.2.7, 127.0.0.1; " + std::string(kToken));
        EXPECT_EQ(answer.body, "kheops");

        expect_from_kheops(fetch("HEAD", nginx.url(kList), with_token()),
                           "HEAD /authorization/albums/DemoAlbum1/webhooks");

        const std::string body(kKibi * kKibi, 'b');
        const HttpAnswer with_body = fetch("GET", nginx.url(kList), with_token(), body);
        expect_from_kheops(with_body, "GET /authorization/albums/DemoAlbum1/webhooks");
        EXPECT_EQ(with_body.header("X-Length"), std::to_string(body.size()));

        // One after the other, more requests than may fall back at once.
        for (int i = 0; i < 2 * kMaxFallbacks; ++i) {
            expect_from_kheops(fetch("GET", nginx.url(kList), with_token()),
                               "GET /authorization/albums/DemoAlbum1/webhooks");
        }
        EXPECT_EQ(nginx.error_log().find("uninitialized"), std::string::npos) << nginx.error_log();
    }
};

TEST_F(DropInFallback, WhenThereIsNoSocket) {
    expect_fallback();
}

TEST_F(DropInFallback, WhenNobodyListens) {
    static_cast<void>(listen_unix(worker_socket_));
    expect_fallback();
}

TEST_F(DropInFallback, WhenTheWorkerClosesWithoutAnAnswer) {
    const FakeWorker worker(worker_socket_, [](const FastCgiRequest&) { return ""; });
    expect_fallback();
}

TEST_F(DropInFallback, WhenTheAnswerIsMalformed) {
    const FakeWorker worker(worker_socket_,
                            [](const FastCgiRequest&) { return "no header at all\r\n\r\n"; });
    expect_fallback();
}

TEST_F(DropInFallback, WhenTheWorkerDoesNotAnswerInTime) {
    const Descriptor never_accepted = listen_unix(worker_socket_);
    expect_fallback({{"fastcgi_read_timeout 10s;", "fastcgi_read_timeout 20ms;"}});
}

TEST_F(DropInFallback, EndsWhenTheWorkerIsBack) {
    const TestNginx nginx(reverse_proxy(directory_) + fake_kheops(directory_));
    for (int i = 0; i < 3; ++i) {
        expect_from_kheops(fetch("GET", nginx.url(kList), with_token()),
                           "GET /authorization/albums/DemoAlbum1/webhooks");
        const FakeWorker worker(worker_socket_);
        expect_from_worker(fetch("GET", nginx.url(kList), with_token()));
    }
}

TEST_F(DropInFallback, Gets502InJsonWhenKheopsDoesNotRun) {
    const TestNginx nginx(reverse_proxy(directory_));
    expect_refusal(fetch("GET", nginx.url(kList), with_token()),
                   HttpError(502, "Bad Gateway", "The service gave no valid answer"));
}

TEST_F(DropInFallback, Gets504InJsonWhenKheopsIsSilent) {
    const Descriptor never_accepted = listen_unix(directory_.file("kheops.sock"));
    const TestNginx nginx(reverse_proxy(
        directory_, DropIn::on,
        {{"limit_conn_status 503;", "limit_conn_status 503; proxy_read_timeout 20ms;"}}));
    expect_refusal(fetch("GET", nginx.url(kList), with_token()),
                   HttpError(504, "Gateway Timeout", "The service did not answer in time"));
}

TEST_F(DropInFallback, PassesOnEveryStatusOfKheops) {
    for (const int status : {400, 401, 404, 413, 429, 500, 502, 503, 504}) {
        SCOPED_TRACE(status);
        const TestNginx nginx(reverse_proxy(directory_) +
                              "server { listen unix:" + directory_.file("kheops.sock") +
                              "; return " + std::to_string(status) + " \"Kheops' own\"; }");
        const HttpAnswer answer = fetch("GET", nginx.url(kList), with_token());
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.body, "Kheops' own");
        EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "");
    }
}

TEST_F(DropInFallback, IsLimitedWhenKheopsIsSlow) {
    const TestNginx nginx(reverse_proxy(directory_));
    const Descriptor kheops = listen_unix(directory_.file("kheops.sock"));
    std::vector<std::future<HttpAnswer>> answers;
    std::vector<Descriptor> slow;  // destroyed first, which ends the requests that wait
    for (int i = 0; i < kMaxFallbacks; ++i) {
        answers.push_back(std::async(
            std::launch::async, [&nginx] { return fetch("GET", nginx.url(kList), with_token()); }));
        pollfd asked = {.fd = kheops.number(), .events = POLLIN, .revents = 0};
        ASSERT_EQ(::poll(&asked, 1, 60'000), 1) << "only " << i << " reached Kheops";
        slow.emplace_back(::accept4(kheops.number(), nullptr, nullptr, SOCK_CLOEXEC));
    }

    expect_refusal(fetch("GET", nginx.url(kList), with_token()),
                   HttpError(503, "Service Unavailable",
                             "There are too many requests at the moment", {{"Retry-After", "1"}}));

    for (const Descriptor& connection : slow) {
        const std::string answer = "HTTP/1.1 203 OK\r\nContent-Length: 0\r\n\r\n";
        ASSERT_GT(::send(connection.number(), answer.data(), answer.size(), MSG_NOSIGNAL), 0);
    }
    for (auto& answer : answers) {
        EXPECT_EQ(answer.get().status, 203);
    }
}

TEST_F(DropInTest, DoesNotLimitRequestsThatTheWorkerServes) {
    constexpr int kMany = 3 * kMaxFallbacks;
    std::latch all_there(kMany);
    const FakeWorker worker(worker_socket_, [&all_there](const FastCgiRequest&) {
        all_there.arrive_and_wait();
        return to_cgi_text(200, "");
    });
    const TestNginx nginx(reverse_proxy(directory_));
    std::vector<std::future<HttpAnswer>> answers;
    for (int i = 0; i < kMany; ++i) {
        answers.push_back(std::async(
            std::launch::async, [&nginx] { return fetch("GET", nginx.url(kList), with_token()); }));
    }
    for (auto& answer : answers) {
        expect_from_worker(answer.get());
    }
}

}  // namespace
}  // namespace kheops::test
