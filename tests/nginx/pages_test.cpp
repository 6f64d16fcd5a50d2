// SPDX-License-Identifier: MIT

// The links from page to page, through nginx.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "support/await.hpp"
#include "support/link_header.hpp"
#include "support/test_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";

/// The targets of the header Link by their relation.
std::map<std::string, std::string> links_in(const HttpAnswer& answer) {
    return parse_link_header(answer.header("Link"));
}

std::vector<std::string> ids_in(const HttpAnswer& answer) {
    std::vector<std::string> ids;
    const auto body = json::parse(answer.body);
    for (const json::View& webhook : body.value().view().elements()) {
        ids.push_back(webhook.member("id")->string().value());
    }
    return ids;
}

class Pages : public testing::Test {
  protected:
    Pages() : site_({"sql/schema.sql", "sql/example-data.sql"}) {}

    /// Adds webhooks with equal creation times to the album; `name` begins their ids.
    void add_webhooks(const std::string& name, int count) {
        site_.database().execute(
            "INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, new_series, "
            "new_user, album_fk) SELECT $1 || lpad(n::text, 16, '0'), 'x', 'https://a.example/', "
            "true, '2001-01-01', u.pk, true, false, a.pk FROM generate_series(1, $2::int) AS n, "
            "users AS u, albums AS a WHERE u.sub = 'alice' AND a.id = 'DemoAlbum1'",
            {name, std::to_string(count)});
    }

    HttpAnswer get(const std::string& query) { return site_.get(kList + query, "alice"); }

    TestSite site_;
};

TEST_F(Pages, FromFirstToLastEveryWebhookIsSeenOnce) {
    const std::vector<std::string> all = ids_in(get(""));
    HttpAnswer answer = get("?limit=2");
    EXPECT_EQ(answer.header("Access-Control-Expose-Headers"), "X-Total-Count, Link, ETag");
    std::vector<std::string> seen = ids_in(answer);
    std::string query;
    while (links_in(answer).contains("next")) {
        query = links_in(answer).at("next");
        answer = get(query);
        const std::vector<std::string> page = ids_in(answer);
        seen.insert(seen.end(), page.begin(), page.end());
    }
    EXPECT_EQ(seen, all);
    EXPECT_EQ(links_in(answer).at("last"), query);

    // And back.
    std::vector<std::string> back;
    for (;;) {
        const std::vector<std::string> page = ids_in(answer);
        back.insert(back.begin(), page.begin(), page.end());
        if (!links_in(answer).contains("prev")) {
            break;
        }
        answer = get(links_in(answer).at("prev"));
    }
    EXPECT_EQ(back, all);
    EXPECT_EQ(ids_in(get(links_in(answer).at("first"))), ids_in(answer));
}

TEST_F(Pages, OnlyAListWithALimitHasLinks) {
    for (const char* query : {"", "?offset=1", "?limit=0", "?limit=&limit=3"}) {
        const HttpAnswer answer = get(query);
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.all("Link").size(), 0U) << query;
    }
    EXPECT_EQ(get("?limit=x").all("Link").size(), 0U);
}

TEST_F(Pages, PastTheEndPrevLeadsBackToTheLastPage) {
    const HttpAnswer answer = get("?limit=2&offset=100");
    EXPECT_EQ(answer.body, "[]");
    const auto links = links_in(answer);
    EXPECT_FALSE(links.contains("next"));
    EXPECT_EQ(links.at("prev"), links.at("last"));
    EXPECT_EQ(ids_in(get(links.at("prev"))), std::vector<std::string>{ids_in(get("")).back()});
}

TEST_F(Pages, TheUrlFilterStaysOnEveryPage) {
    const std::string filter = "url=https://webhook.site/123456";
    const HttpAnswer first = get("?limit=1&" + filter + "&x=\xC3\xA9\"<>");
    EXPECT_EQ(first.header("X-Total-Count"), "2");
    const std::string next = links_in(first).at("next");
    EXPECT_EQ(next, "?limit=1&" + filter + "&x=%C3%A9%22%3C%3E&offset=1");
    const HttpAnswer second = get(next);
    EXPECT_EQ(second.header("X-Total-Count"), "2");
    EXPECT_EQ(ids_in(second).size(), 1U);
    EXPECT_NE(ids_in(second), ids_in(first));
    EXPECT_FALSE(links_in(second).contains("next"));
}

TEST_F(Pages, ALineBreakInTheQueryAddsNoHeader) {
    const HttpAnswer answer = get("?limit=1&x=%0D%0ASet-Cookie:%20a");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Set-Cookie"), "");
    EXPECT_EQ(links_in(answer).at("next"), "?limit=1&x=%0D%0ASet-Cookie:%20a&offset=1");
}

TEST_F(Pages, LinksWithTheLongestUrlPassNginx) {
    std::string url;
    for (int i = 0; i < 1024; ++i) {
        url += "%F0%9F%98%80";
    }
    const HttpAnswer answer = get("?limit=1&offset=2147483647&url=" + url);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(links_in(answer).size(), 3U);
    // With a longer query the header is left out.
    EXPECT_EQ(get("?limit=1&url=" + url + url).status, 200);
}

// Other webhooks with the same creation time come and go while a client follows `next`: behind its
// page, and in another album. Those that stay are seen exactly once.
TEST_F(Pages, WebhooksThatStayAreSeenOnceWhileOthersComeAndGo) {
    add_webhooks("gone", 20);  // their pk are the smallest, so they are the last in the list
    add_webhooks("stay", 40);
    site_.database().execute(
        "CREATE TABLE known AS SELECT * FROM webhooks WHERE id LIKE 'gone%' OR id LIKE 'stay%'");
    const std::vector<std::string> staying =
        site_.database().column("SELECT id FROM webhooks WHERE id NOT LIKE 'gone%'");
    ASSERT_EQ(staying.size(), 45U);

    std::atomic<int> changes = 0;
    const std::jthread others([&](const std::stop_token& stop) {
        TestConnection connection(site_.database().conninfo());
        while (!stop.stop_requested()) {
            connection.execute(
                "DELETE FROM webhooks WHERE id LIKE 'gone%' AND random() < 0.3;"
                "INSERT INTO webhooks SELECT k.* FROM known AS k WHERE k.id LIKE 'gone%' AND "
                "random() < 0.3 AND NOT EXISTS (SELECT FROM webhooks AS w WHERE w.pk = k.pk);"
                "DELETE FROM webhooks WHERE name = 'elsewhere' AND random() < 0.3;"
                "INSERT INTO webhooks (id, name, url, enabled, creation_time, user_fk, new_series, "
                "new_user, album_fk) SELECT substr(md5(random()::text || n), 1, 20), 'elsewhere', "
                "k.url, true, k.creation_time, k.user_fk, true, false, a.pk FROM albums AS a, "
                "generate_series(1, 3) AS n, known AS k WHERE a.id = 'BobsInbox1' AND k.id LIKE "
                "'stay%1'");
            ++changes;
        }
    });
    for (int walk = 0; walk < 5; ++walk) {
        std::map<std::string, int> seen;
        for (std::string query = "?limit=3"; !query.empty();) {
            const int before = changes;
            await("the others have changed the list", [&] { return changes > before; });
            const HttpAnswer answer = get(query);
            ASSERT_EQ(answer.status, 200) << answer.body;
            for (const std::string& id : ids_in(answer)) {
                ++seen[id];
            }
            const auto links = links_in(answer);
            query = links.contains("next") ? links.at("next") : "";
        }
        for (const std::string& id : staying) {
            EXPECT_EQ(seen[id], 1) << id;
        }
    }
}

}  // namespace
}  // namespace kheops::test
