// SPDX-License-Identifier: MIT

// Every gate and every header of the contract, through nginx.

#include <gtest/gtest.h>

#include "support/fastcgi_client.hpp"
#include "support/log_line.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr const char* kHelp = "https://github.com/OsiriX-Foundation/kheops/wiki";

class Answers : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        site_ = std::make_unique<TestSite>(
            std::vector<std::string>{"sql/schema.sql", "sql/example-data.sql"});
    }
    static void TearDownTestSuite() { site_.reset(); }

    static HttpHeaders bearer(const std::string& token) {
        return {{"Authorization", "Bearer " + token}};
    }

    static std::string error_body(const std::string& message, const std::string& detail) {
        return R"({"message":")" + message + R"(","detail":")" + detail + R"(","help":")" + kHelp +
               "\"}";
    }

    /// The headers of every answer, whatever its status.
    static void expect_common_headers(const HttpAnswer& answer) {
        EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*");
        EXPECT_EQ(answer.header("Access-Control-Allow-Headers"),
                  "origin, content-type, accept, authorization, frontend, accept-charset, "
                  "X-Authorization-Source");
        EXPECT_EQ(answer.header("Access-Control-Allow-Methods"),
                  "GET, PATCH, POST, PUT, DELETE, OPTIONS, HEAD");
        EXPECT_EQ(answer.header("Access-Control-Max-Age"), "86400");
        EXPECT_EQ(answer.header("Access-Control-Allow-Credentials"), "");
    }

    static void expect_error(const HttpAnswer& answer, int status, const std::string& message,
                             const std::string& detail) {
        EXPECT_EQ(answer.status, status);
        EXPECT_EQ(answer.body, error_body(message, detail));
        EXPECT_EQ(answer.header("Content-Type"), "application/json");
        EXPECT_EQ(answer.header("Cache-Control"), "no-cache");
        EXPECT_EQ(answer.header("X-Total-Count"), "");
        EXPECT_EQ(answer.header("ETag"), "");
        EXPECT_EQ(answer.header("Access-Control-Expose-Headers"), "");
        expect_common_headers(answer);
    }

    static std::unique_ptr<TestSite> site_;
};

std::unique_ptr<TestSite> Answers::site_;

TEST_F(Answers, ListHasAllHeadersAndItsTotal) {
    const HttpAnswer answer = site_->get(kList, "alice");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    EXPECT_EQ(answer.header("Content-Length"), std::to_string(answer.body.size()));
    EXPECT_EQ(answer.header("Cache-Control"), "no-cache");
    EXPECT_EQ(answer.header("Access-Control-Expose-Headers"), "X-Total-Count, Link, ETag");
    expect_common_headers(answer);

    const auto body = json::parse(answer.body);
    ASSERT_TRUE(body) << answer.body;
    EXPECT_EQ(answer.header("X-Total-Count"), std::to_string(body->view().elements().size()));
}

TEST_F(Answers, FirstPageEqualsTheExampleOfTheApi) {
    const HttpAnswer answer = site_->get(std::string(kList) + "?limit=2", "alice");
    EXPECT_EQ(
        answer.body,
        R"([{"id":"QAdfIstxuOvwkcm39WEO","url":"https://webhook.site/123456","name":"a name",)"
        R"("use_secret":false,"events":["new_series","new_user"],"enabled":true,"last_triggers":[)"
        R"({"id":"peasMs9OIgbBnIA1na4ANnDj2b4ebl","status":"pass"},)"
        R"({"id":"j3gbeiu78gI78GI87G2WIU278FGbbm","status":"fail"},)"
        R"({"id":"bmnbmBU78gHizFGgvfi78fvUJzfFZu","status":"pass"},)"
        R"({"id":"jhUIGHiugBIUgvZI8t7g87FVUzfv78","status":"fail"},)"
        R"({"id":"iugiGi7g7zIGVujzfgG8f67JIup0uj","status":"fail"}],"number_of_triggers":11},)"
        R"({"id":"kCMP3HU3GvcLOl8rNCLQ","url":"https://webhook.site/abcdef",)"
        R"("name":"another name","use_secret":true,"events":["new_series","remove_series"],)"
        R"("enabled":true,"number_of_triggers":0}])");
}

TEST_F(Answers, KheopsPrefixIsStripped) {
    EXPECT_EQ(site_->get(std::string("/api") + kList, "alice").body,
              site_->get(kList, "alice").body);
    EXPECT_EQ(site_->get(std::string("/apix") + kList, "alice").status, 404);
}

TEST_F(Answers, HeadIsGetWithoutABody) {
    const HttpAnswer get = site_->get(kList, "alice");
    const HttpAnswer head = site_->fetch("HEAD", kList, site_->authorization("alice"));
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    for (const char* name : {"Content-Length", "Content-Type", "Cache-Control", "X-Total-Count",
                             "ETag", "Access-Control-Expose-Headers"}) {
        EXPECT_EQ(head.header(name), get.header(name)) << name;
    }
    EXPECT_EQ(site_->fetch("HEAD", kList).status, 401);
}

TEST_F(Answers, OptionsNeedsNoToken) {
    const HttpAnswer answer = site_->fetch("OPTIONS", kList);
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.header("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(answer.header("Cache-Control"), "");
    EXPECT_EQ(answer.header("Content-Type"), "");
    expect_common_headers(answer);
}

TEST_F(Answers, Gate1UnknownPathsGet404) {
    for (const char* path :
         {"/", "/albums", "/albums/short/webhooks", "/albums/DemoAlbum1X/webhooks",
          "/albums/DemoAlbum-/webhooks", "/albums/DemoAlbum1/Webhooks", "/albums//webhooks",
          "/albums/DemoAlbum1/webhooks;a=b", "/albums/DemoAlbum1;a=b/webhooks",
          "/albums/DemoAlbum1/webhooks/x", "/albums/DemoAlbum%C3%A9/webhooks",
          "/albums/DemoAlbum1/webhooks%0A", "/x/albums/DemoAlbum1/webhooks"}) {
        SCOPED_TRACE(path);
        for (const char* method : {"GET", "OPTIONS", "DELETE"}) {
            expect_error(site_->fetch(method, path), 404, "Not Found",
                         "There is nothing at this path");
        }
    }
    EXPECT_EQ(site_->get(std::string(kList) + "/", "alice").status, 200);
}

TEST_F(Answers, Gate2OtherMethodsGet405) {
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"}) {
        SCOPED_TRACE(method);
        const HttpAnswer answer = site_->fetch(method, kList, {{"Accept", "text/html"}});
        if (std::string(method) == "get") {
            EXPECT_EQ(answer.status, 400);  // nginx refuses a lower-case method itself
            continue;
        }
        expect_error(answer, 405, "Method Not Allowed", "Allowed here: GET, HEAD, OPTIONS");
        EXPECT_EQ(answer.header("Allow"), "GET, HEAD, OPTIONS");
    }
}

// nginx passes no NUL on, so a FastCGI client sends it.
TEST_F(Answers, NulInAParameterIsRefusedBetweenGates2And3) {
    FastCgiClient client(site_->worker().socket_path());
    const auto status = [&client](const std::string& method, const std::string& path,
                                  const Parameters& more) {
        Parameters parameters = {{"REQUEST_METHOD", method}, {"PATH_INFO", path}};
        parameters.insert(parameters.end(), more.begin(), more.end());
        client.send(fastcgi_request(parameters, true));
        return status_of(client.receive_answer());
    };
    const std::string nul("limit=1\0", 8);
    for (const char* name : {"QUERY_STRING", "HTTP_ACCEPT", "HTTP_X", "REMOTE_ADDR"}) {
        SCOPED_TRACE(name);
        const Parameters parameters = {{name, nul}};
        EXPECT_EQ(status("GET", "/elsewhere", parameters), 404);
        EXPECT_EQ(status("DELETE", "/elsewhere", parameters), 404);
        EXPECT_EQ(status("DELETE", kList, parameters), 405);
        EXPECT_EQ(status("OPTIONS", kList, parameters), 204);
        EXPECT_EQ(status("GET", kList, parameters), 400);
        EXPECT_EQ(status("HEAD", kList, parameters), 400);
    }
    EXPECT_EQ(status("GET", kList, {{std::string("N\0", 2), "value"}}), 400);
    EXPECT_EQ(status("GET", kList, {{"QUERY_STRING", nul}, {"HTTP_ACCEPT", "text/html"}}), 400);
    EXPECT_EQ(status("GET", kList, {}), 401);
    EXPECT_EQ(status("GET", kList + std::string(1, '\0'), {{"QUERY_STRING", nul}}), 404);
}

TEST_F(Answers, Gate3OnlyJsonIsAcceptable) {
    expect_error(site_->fetch("GET", kList, {{"Accept", "text/html"}}), 406, "Not Acceptable",
                 "The answer is application/json");
    // The default of Java's HttpURLConnection up to 17.0.11; Kheops answers it, too.
    HttpHeaders old_java = site_->authorization("alice");
    old_java.emplace_back("Accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2");
    EXPECT_EQ(site_->fetch("GET", kList, old_java).status, 200);
    expect_error(site_->fetch("GET", kList, {{"Accept", "application/json;q=x"}}), 400,
                 "Bad Request", "The header Accept cannot be parsed");
    HttpHeaders headers = site_->authorization("alice");
    headers.emplace_back("Accept", "application/json, text/plain, */*");
    headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    EXPECT_EQ(site_->fetch("GET", kList, headers).status, 200);
}

// nginx before 1.23 passes one parameter for each line, if it passes all headers.
TEST_F(Answers, SeveralLinesOfAHeaderAreOneList) {
    FastCgiClient client(site_->worker().socket_path());
    const auto status = [&client](const Parameters& headers) {
        Parameters parameters = {{"REQUEST_METHOD", "GET"}, {"PATH_INFO", kList}};
        parameters.insert(parameters.end(), headers.begin(), headers.end());
        client.send(fastcgi_request(parameters, true));
        return status_of(client.receive_answer());
    };
    const auto authorization =
        std::make_pair(std::string("HTTP_AUTHORIZATION"), "Bearer " + mint_token("alice"));
    EXPECT_EQ(status({{"HTTP_ACCEPT", "text/html"}, authorization}), 406);
    for (const char* first : {"text/html", "", "text/html;q=0.1,", "image/gif, image/jpeg"}) {
        EXPECT_EQ(status({{"HTTP_ACCEPT", first},
                          authorization,
                          {"HTTP_ACCEPT", ""},
                          {"HTTP_ACCEPT", "application/json"}}),
                  200);
    }
    EXPECT_EQ(
        status({{"HTTP_ACCEPT", "*/*"}, {"HTTP_ACCEPT", "application/json;q=0"}, authorization}),
        406);
    EXPECT_EQ(status({{"HTTP_ACCEPT", "*/*"}, {"HTTP_ACCEPT", "x"}, authorization}), 400);
    const std::string tag = site_->get(kList, "alice").header("ETag");
    EXPECT_EQ(status({{"HTTP_IF_NONE_MATCH", "\"x\""}, {"HTTP_IF_NONE_MATCH", tag}, authorization}),
              304);
    EXPECT_EQ(status({authorization, authorization}), 401);
    EXPECT_EQ(status({{"PATH_INFO", "/other"}, authorization}), 200);  // the first counts
}

TEST_F(Answers, Gate4RequestsWithoutABearerTokenGet401) {
    for (const char* value :
         {"", "Bearer", "Basic YWxpY2U6eA==", "Bearer a b", "Bearer a,b", "a.b.c"}) {
        SCOPED_TRACE(value);
        const HttpAnswer answer = site_->fetch("GET", kList, {{"Authorization", value}});
        EXPECT_EQ(answer.status, 401);
        EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer realm=\"kheops\"");
    }
    const std::string token = mint_token("alice");
    for (const char* scheme : {"bearer ", "BEARER    "}) {
        EXPECT_EQ(site_->fetch("GET", kList, {{"Authorization", scheme + token}}).status, 200);
    }
}

TEST_F(Answers, Gate5MalformedTokensGet401) {
    // Gate 6 would refuse this query, but the token is checked first.
    const std::string target = std::string(kList) + "?limit=x";
    for (const char* token : {"a.b.c", "abcdefghijklmnopqrstuv", "a.b.c.d.e"}) {
        const HttpAnswer answer = site_->fetch("GET", target, bearer(token));
        expect_error(answer, 401, "Authorization error", "The token is malformed");
        EXPECT_EQ(answer.header("WWW-Authenticate"),
                  "Bearer realm=\"kheops\", error=\"invalid_token\", "
                  "error_description=\"The token is malformed\"");
    }
}

TEST_F(Answers, Gate6InvalidQueryParametersGet400) {
    // Gate 8 would refuse this album, but the query is checked first.
    expect_error(site_->get("/albums/NoSuchAlb1/webhooks?limit=-1", "alice"), 400,
                 "Bad Query Parameter", "'limit' must be a whole number from 0 to 2147483647");
    expect_error(site_->get(std::string(kList) + "?offset=x", "alice"), 400, "Bad Query Parameter",
                 "'offset' must be a whole number from 0 to 2147483647");
    expect_error(site_->get(std::string(kList) + "?url=%FF", "alice"), 400, "Bad Query Parameter",
                 "'url' must be percent-encoded UTF-8 without U+0000");
}

TEST_F(Answers, Gate7UnknownUsersGet404) {
    expect_error(site_->get(kList, "nobody"), 404, "User Not Found", "The user does not exist");
    for (const char* subject : {"Alice", "alice ", "alice%", "a_ice", "alice@example.org"}) {
        EXPECT_EQ(site_->get(kList, subject).status, 404) << subject;
    }
}

TEST_F(Answers, Gate8AlbumsWithoutAccessGet404LikeMissingOnes) {
    const std::string detail = "The album does not exist or you don't have access";
    expect_error(site_->get("/albums/NoSuchAlb1/webhooks", "alice"), 404, "Album Not Found",
                 detail);
    expect_error(site_->get(kList, "carol"), 404, "Album Not Found", detail);
    for (const std::string& inbox : site_->database().column(
             "SELECT a.id FROM users u JOIN albums a ON a.pk = u.inbox_fk ORDER BY a.id")) {
        expect_error(site_->get("/albums/" + inbox + "/webhooks", "alice"), 404, "Album Not Found",
                     detail);
    }
}

TEST_F(Answers, Gate9MembersWhoAreNoAdministratorsGet403) {
    expect_error(site_->get(kList, "bob"), 403, "Authorization error",
                 "You don't have the permission to do this on this album");
}

TEST_F(Answers, BodyOfAGetIsIgnored) {
    const std::string body(size_t{10} << 20U, 'b');
    EXPECT_EQ(site_->fetch("GET", kList, site_->authorization("alice"), body).status, 200);
    EXPECT_EQ(site_->get(kList, "alice").status, 200);
}

TEST_F(Answers, UrlFilterFindsLongNonAsciiUrls) {
    std::string url;
    std::string encoded;
    for (int i = 0; i < 1024; ++i) {
        url += "\xF0\x9F\x98\x80";
        encoded += "%F0%9F%98%80";
    }
    site_->database().execute(
        "INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, new_series, "
        "new_user, album_fk) SELECT 'longUrl0000000000000', E'a\\nname\\u0001', '" +
        url +
        "', true, '2001-01-01', u.pk, false, false, a.pk FROM users u, albums a "
        "WHERE u.sub = 'alice' AND a.id = 'DemoAlbum1'");
    const HttpAnswer answer = site_->get(std::string(kList) + "?url=" + encoded, "alice");
    site_->database().execute("DELETE FROM webhooks WHERE id = 'longUrl0000000000000'");

    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("X-Total-Count"), "1");
    const auto body = json::parse(answer.body);
    ASSERT_TRUE(body) << answer.body;
    const json::View webhook = body->view().elements().at(0);
    EXPECT_EQ(webhook.member("url")->string(), url);
    EXPECT_EQ(webhook.member("name")->string(), "a\nname\x01");
}

TEST_F(Answers, LogLineBeginsWithThePairsOfKheops) {
    HttpHeaders headers = site_->authorization("alice");
    headers.emplace_back("X-Forwarded-For", "198.51.100.7, 192.0.2.1");
    headers.emplace_back("X-Link-Authorization", "true");
    EXPECT_EQ(site_->fetch("GET", kList, headers).status, 200);
    site_->worker().await_log(
        "\nuser=alice tokenType=KEYCLOAK_TOKEN link=true sourceIP=198.51.100.7 "
        "action=LIST_WEBHOOK album=DemoAlbum1 status=200 id=");
}

TEST_F(Answers, LinkIsLoggedOnlyForTheValueTrue) {
    for (const char* value : {"false", "TRUE", "true1", "1", ""}) {
        EXPECT_EQ(site_->fetch("GET", kList, {{"X-Link-Authorization", value}}).status, 401);
        EXPECT_EQ(log_line_value(log_lines(site_->worker().log()).back(), "link"), "false")
            << value;
    }
}

TEST_F(Answers, SourceIpIsTheFirstForwardedAddress) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"198.51.100.7", "198.51.100.7"},
        {" \t198.51.100.7 \t, 192.0.2.1", "198.51.100.7"},
        {"2001:db8::1,192.0.2.1", "2001:db8::1"},
        {"", "127.0.0.1"},
        {" , 192.0.2.1", "127.0.0.1"},
        {std::string(64, 'a'), std::string(64, 'a')},
        {std::string(65, 'a'), std::string(63, 'a') + "…"},
    };
    for (const auto& [header, source] : cases) {
        EXPECT_EQ(site_->fetch("GET", kList, {{"X-Forwarded-For", header}}).status, 401);
        EXPECT_EQ(log_line_value(log_lines(site_->worker().log()).back(), "sourceIP"), source);
    }
}

TEST_F(Answers, RequestIdIsReplacedUnlessAlphanumeric) {
    FastCgiClient client(site_->worker().socket_path());
    const auto logged = [&client](const std::string& id) {
        client.send(fastcgi_request({{"PATH_INFO", kList}, {"REQUEST_ID", id}}, true));
        EXPECT_EQ(status_of(client.receive_answer()), 405);
        return log_line_value(log_lines(site_->worker().log()).back(), "id");
    };
    for (const std::string& id : {std::string("4f0cZz9"), std::string("x"), std::string(64, 'a')}) {
        EXPECT_EQ(logged(id), id);
    }
    for (const std::string& id :
         {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a-b"),
          std::string("a\nb"), std::string("é"), std::string("a\"")}) {
        const std::string own = logged(id);
        EXPECT_EQ(own.size(), 20U) << id;
        EXPECT_EQ(own.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "abcdefghijklmnopqrstuvwxyz"),
                  std::string::npos)
            << own;
        EXPECT_NE(logged(id), own);
    }
}

TEST_F(Answers, TimeWaitedForAThreadIsLogged) {
    TestWorker worker({{"KHEOPS_WEBHOOKS_DATABASE", site_->database().conninfo()},
                       {"KHEOPS_WEBHOOKS_THREADS", "1"},
                       {"KHEOPS_WEBHOOKS_TIMEOUT", "60"}});
    const std::string request = fastcgi_request(get_parameters(kList, mint_token("alice")), true);
    FastCgiClient first(worker.socket_path());
    FastCgiClient second(worker.socket_path());
    FastCgiClient nonsense(worker.socket_path());
    const auto lock = site_->database().lock_table("webhooks");
    first.send(request);
    site_->database().await_waiting_backend();
    second.send(request);
    nonsense.send("nonsense");
    worker.await_log("event=connection_closed");  // so it has read the second request
    lock->release();
    EXPECT_EQ(status_of(first.receive_answer()), 200);
    EXPECT_EQ(status_of(second.receive_answer()), 200);

    std::vector<std::string> lines = log_lines(worker.log());
    std::erase_if(lines, [](const std::string& line) { return line.starts_with("event="); });
    ASSERT_EQ(lines.size(), 2U) << worker.log();
    const auto number = [&lines](const char* key) {
        return std::stod(log_line_value(lines[1], key));
    };
    EXPECT_GT(number("waited_ms"), 0);
    EXPECT_GT(number("database_ms"), 0);
    EXPECT_GE(number("total_ms"), number("waited_ms"));
}

TEST_F(Answers, HeaderCannotForgeALogLine) {
    EXPECT_EQ(site_->fetch("GET", kList, {{"X-Forwarded-For", "1 user=root status=200"}}).status,
              401);
    site_->worker().await_log("sourceIP=\"1 user=root status=200\" ");
}

TEST_F(Answers, LongHeaderIsCutAndCannotForgeALogLine) {
    for (const char* text : {"x", " user=root tokenType=KEYCLOAK_TOKEN status=200", "\xC2\xA0",
                             "\x80", "\xF0\x9F\x98\x80", "\"", "\\"}) {
        std::string address;
        while (address.size() < 24'000) {
            address += text;
        }
        HttpHeaders headers = site_->authorization("alice");
        headers.emplace_back("X-Forwarded-For", address);
        EXPECT_EQ(site_->fetch("GET", kList, headers).status, 200) << text;
        const std::vector<std::string> lines = log_lines(site_->worker().log());
        const auto pairs = parse_log_line(lines.back());  // throws over 4,095 octets
        ASSERT_GT(pairs.size(), 8U);
        EXPECT_EQ(pairs[0], std::make_pair(std::string("user"), std::string("alice")));
        EXPECT_EQ(pairs[3].first, "sourceIP");
        EXPECT_TRUE(pairs[3].second.ends_with("…")) << lines.back();
        EXPECT_EQ(pairs[6], std::make_pair(std::string("status"), std::string("200")));
        EXPECT_EQ(log_line_value(lines.back(), "id").size(), 32U);  // made by nginx
        EXPECT_LT(lines.back().size(), 1000U);
    }
}

TEST_F(Answers, TokensAreNeverLogged) {
    const std::string token = mint_token("alice");
    EXPECT_EQ(site_->fetch("GET", kList, bearer(token)).status, 200);
    EXPECT_EQ(site_->fetch("GET", kList, bearer(token + "x")).status, 401);
    const std::string log = site_->worker().log();
    EXPECT_EQ(log.find(token.substr(0, 60)), std::string::npos);
    EXPECT_EQ(log.find(token.substr(token.size() - 40)), std::string::npos);
}

}  // namespace
}  // namespace kheops::test
