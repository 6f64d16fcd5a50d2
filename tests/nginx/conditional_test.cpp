// SPDX-License-Identifier: MIT

// Conditional requests, through nginx with compression.

#include <gtest/gtest.h>

#include "support/fastcgi_client.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

class Conditional : public testing::Test {
  protected:
    Conditional()
        : site_({"sql/schema.sql", "sql/example-data.sql"}, {},
                {{"#gzip on;", "gzip on;"},
                 {"#gzip_types application/json;", "gzip_types application/json;"}}) {}

    /// A request by `subject` for the list, with these headers added.
    HttpAnswer ask(const std::string& subject, const HttpHeaders& more = {},
                   const std::string& method = "GET", const std::string& query = "") {
        HttpHeaders headers = site_.authorization(subject);
        headers.insert(headers.end(), more.begin(), more.end());
        return site_.fetch(method, kList + query, headers);
    }

    static void expect_not_modified(const HttpAnswer& answer, const HttpAnswer& full) {
        EXPECT_EQ(answer.status, 304) << answer.body;
        EXPECT_EQ(answer.body, "");
        for (const char* name :
             {"ETag", "X-Total-Count", "Link", "Cache-Control", "Access-Control-Allow-Origin",
              "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
              "Access-Control-Max-Age", "Access-Control-Expose-Headers"}) {
            EXPECT_EQ(answer.all(name), full.all(name)) << name;
        }
        EXPECT_EQ(answer.all("Content-Type").size(), 0U);
        EXPECT_EQ(answer.all("Content-Length").size(), 0U);
    }

    void change_list() { site_.database().execute("UPDATE webhooks SET name = name || '.'"); }

    TestSite site_;
};

TEST_F(Conditional, AKnownListIsNotSentAgain) {
    const std::string query = "?limit=2&offset=1";
    const HttpAnswer full = ask("alice", {}, "GET", query);
    ASSERT_EQ(full.status, 200);
    const std::string tag = full.header("ETag");
    EXPECT_EQ(tag.size(), 34U) << tag;
    EXPECT_TRUE(tag.starts_with('"')) << tag;
    EXPECT_NE(full.header("Link"), "");
    for (const std::string& header : {tag, "W/" + tag, "\"x\", W/" + tag, std::string("*")}) {
        SCOPED_TRACE(header);
        expect_not_modified(ask("alice", {{"If-None-Match", header}}, "GET", query), full);
        expect_not_modified(ask("alice", {{"If-None-Match", header}}, "HEAD", query), full);
    }
    EXPECT_EQ(ask("alice", {}, "HEAD", query).header("ETag"), tag);
}

TEST_F(Conditional, AnotherTagOrAMalformedHeaderGetsTheList) {
    const std::string tag = ask("alice").header("ETag");
    const std::string bare = tag.substr(1, tag.size() - 2);
    for (const std::string& header :
         {std::string("\"x\""), bare, tag + " x", "w/" + tag, std::string("*, *"), std::string()}) {
        const HttpAnswer answer = ask("alice", {{"If-None-Match", header}});
        EXPECT_EQ(answer.status, 200) << header;
        EXPECT_EQ(answer.header("ETag"), tag);
        EXPECT_TRUE(answer.body.starts_with("[{")) << answer.body;
    }
}

TEST_F(Conditional, AChangedListHasAnotherTagUntilItIsTheSameAgain) {
    const std::string before = ask("alice").header("ETag");
    change_list();
    const HttpAnswer changed = ask("alice", {{"If-None-Match", before}});
    EXPECT_EQ(changed.status, 200);
    EXPECT_NE(changed.header("ETag"), before);
    EXPECT_EQ(ask("alice", {{"If-None-Match", changed.header("ETag")}}).status, 304);

    site_.database().execute("UPDATE webhooks SET name = rtrim(name, '.')");
    EXPECT_EQ(ask("alice", {{"If-None-Match", before}}).status, 304);
}

TEST_F(Conditional, TheTotalOfA304IsThatOfNow) {
    const HttpAnswer full = ask("alice", {}, "GET", "?limit=1");
    site_.database().execute("DELETE FROM webhooks WHERE name = 'the first one'");
    const HttpAnswer again =
        ask("alice", {{"If-None-Match", full.header("ETag")}}, "GET", "?limit=1");
    EXPECT_EQ(again.status, 304);
    EXPECT_EQ(std::stoi(again.header("X-Total-Count")),
              std::stoi(full.header("X-Total-Count")) - 1);
    EXPECT_NE(again.header("Link"), full.header("Link"));
}

TEST_F(Conditional, TheWeakTagOfACompressedListMatches) {
    const HttpAnswer compressed = ask("alice", {{"Accept-Encoding", "gzip"}});
    EXPECT_EQ(compressed.header("Content-Encoding"), "gzip");
    const std::string weak = compressed.header("ETag");
    EXPECT_EQ(weak, "W/" + ask("alice").header("ETag"));
    for (const char* method : {"GET", "HEAD"}) {
        const HttpAnswer again =
            ask("alice", {{"Accept-Encoding", "gzip"}, {"If-None-Match", weak}}, method);
        EXPECT_EQ(again.status, 304);
        EXPECT_EQ(again.body, "");
    }
    change_list();
    EXPECT_EQ(ask("alice", {{"Accept-Encoding", "gzip"}, {"If-None-Match", weak}}).status, 200);
}

// A browser that several users share revalidates with the tag that any of them got. Who may not see
// the list is refused as without it. Who may see it gets 304 only if it has the same octets, so the
// stored list is the right one for this user too.
TEST_F(Conditional, ATagOfAnotherUserOpensNothing) {
    const HttpAnswer full = ask("alice");
    for (const std::string& tag : {full.header("ETag"), std::string("*")}) {
        const HttpHeaders known = {{"If-None-Match", tag}};
        for (const char* subject : {"bob", "carol", "nobody"}) {
            SCOPED_TRACE(subject);
            const HttpAnswer refused = ask(subject, known);
            EXPECT_EQ(refused.status, ask(subject).status);
            EXPECT_EQ(refused.body, ask(subject).body);
            EXPECT_GE(refused.status, 403);
            EXPECT_EQ(refused.header("ETag"), "");
        }
        EXPECT_EQ(site_.fetch("GET", kList, known).status, 401);
        EXPECT_EQ(ask("alice", known, "GET", "?limit=x").status, 400);
        EXPECT_EQ(ask("alice", known, "DELETE").status, 405);
        EXPECT_EQ(ask("alice", known, "OPTIONS").status, 204);
        HttpHeaders html = known;
        html.emplace_back("Accept", "text/html");
        EXPECT_EQ(ask("alice", html).status, 406);
    }
    site_.database().execute(
        "UPDATE album_user SET admin = true WHERE user_fk = (SELECT pk FROM users WHERE sub = "
        "'bob')");
    expect_not_modified(ask("bob", {{"If-None-Match", full.header("ETag")}}), full);
    EXPECT_EQ(ask("bob").body, full.body);
    EXPECT_EQ(full.header("Cache-Control"), "no-cache");  // so that a cache asks each time
}

TEST_F(Conditional, TheTagIsTheSameAtAnotherWorker) {
    TestWorker other({{"KHEOPS_WEBHOOKS_DATABASE", site_.database().conninfo()}});
    FastCgiClient client(other.socket_path());
    Parameters parameters = get_parameters(kList, mint_token("alice"));
    parameters.emplace_back("HTTP_IF_NONE_MATCH", ask("alice").header("ETag"));
    client.send(fastcgi_request(parameters, true));
    EXPECT_EQ(status_of(client.receive_answer()), 304);
}

}  // namespace
}  // namespace kheops::test
