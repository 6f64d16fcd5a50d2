// SPDX-License-Identifier: MIT

// What a page of another origin can read of the answers, in Chromium. browser_page.html sends the
// requests.

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/await.hpp"
#include "support/fake_worker.hpp"
#include "support/files.hpp"
#include "support/log_line.hpp"
#include "support/metrics.hpp"
#include "support/nginx.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

/// The page's own server. Its port makes it another origin.
std::string page_server(const std::string& socket_path) {
    return "server { listen 127.0.0.1:@PORT@; location / { fastcgi_pass unix:" + socket_path +
           "; fastcgi_param PATH_INFO $uri; } }";
}

/// Answers the page's requests to its own server: gives it the page and does what it asks for.
std::string answer_page(const FastCgiRequest& request, TestSite& site) {
    const std::string& path = request.parameters.at("PATH_INFO");
    if (path == "/change-a-name") {
        site.database().execute("UPDATE webhooks SET name = 'new name' WHERE name = 'a name'");
    } else if (path == "/end-the-worker") {
        site.worker().shut_down_listener();
        static_cast<void>(site.worker().exit_status());
    }
    return "Content-Type: text/html\r\n\r\n" +
           (path == "/" ? read_source("tests/nginx/browser_page.html") : "");
}

/// What the page has reported.
std::optional<std::string> report_in(const FakeWorker& page_worker) {
    for (const FastCgiRequest& request : page_worker.requests()) {
        if (request.parameters.at("PATH_INFO") == "/report") {
            return request.body;
        }
    }
    return std::nullopt;
}

/// Chromium with a page, and with a new profile in `directory`.
Command chromium(const TemporaryDirectory& directory, const std::string& url) {
    const char* path = std::getenv("PATH");
    return {.arguments = {"chromium", "--headless",
                          // The sandbox needs rights that root and containers do not have.
                          "--no-sandbox", "--disable-gpu", "--no-first-run",
                          // No request of its own leaves this machine.
                          "--disable-background-networking",
                          "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                          "--user-data-dir=" + directory.file("profile"), url},
            .environment = {{"HOME", directory.path()},
                            {"TMPDIR", directory.path()},
                            {"PATH", path != nullptr ? path : ""}},
            .standard_output = directory.file("output"),
            .standard_error = directory.file("output")};
}

/// What happened while the page was open.
struct Visit {
    json::Value report;                 ///< what the page could read, by the name of the request
    std::vector<std::string> statuses;  ///< those that the worker logged for alice, in order
};

Visit visit() {
    const std::vector<std::string> data = {"sql/schema.sql", "sql/example-data.sql"};
    TestSite site(data);
    // One request a minute for each address.
    const TestSite limited(data, {}, {{"rate=100r/s", "rate=1r/m"}, {" burst=500 nodelay;", ";"}});
    const TemporaryDirectory directory;
    const FakeWorker page_worker(directory.file("socket"), [&site](const FastCgiRequest& request) {
        return answer_page(request, site);
    });
    const TestNginx page(page_server(directory.file("socket")));

    std::string url =
        page.url("/?site=") + site.nginx().url("") + "&limited=" + limited.nginx().url("");
    for (const std::string user : {"alice", "bob", "carol"}) {
        url += '&' + user + '=' + mint_token(user);
    }
    ChildProcess browser(chromium(directory, url));
    std::optional<std::string> report;
    await("the page reports", [&] {
        report = report_in(page_worker);
        return report || !browser.running();
    });
    browser.terminate();
    browser.wait();

    std::optional<json::Value> parsed = json::parse(report.value_or(""));
    if (!parsed) {
        throw std::runtime_error("no report; Chromium says: " +
                                 read_file(directory.file("output")));
    }
    std::vector<std::string> statuses;
    for (const std::string& line : log_lines(site.worker().log())) {
        if (line.starts_with("user=alice ")) {
            statuses.push_back(log_line_value(line, "status"));
        }
    }
    return {std::move(*parsed), std::move(statuses)};
}

class Browser : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (is_installed("chromium")) {
            visit_.emplace(visit());
        }
    }
    static void TearDownTestSuite() { visit_.reset(); }

    void SetUp() override {
        if (!visit_) {
            GTEST_SKIP() << "chromium is not installed (Debian package: chromium)";
        }
    }

    /// A value that the page could read of the answer to a request. Empty: none, or null.
    static std::string read(const std::string& request, const std::string& value) {
        const auto answer = visit_->report.view().member(request);
        const auto found = answer ? answer->member(value) : std::nullopt;
        if (!found || found->is_null()) {
            return "";
        }
        return found->string().value_or(found->text());
    }

    /// Expects that the page could read this status and `message` in a body like Kheops'. Without
    /// `message`, any will do.
    static void expect_error(const std::string& request, const std::string& status,
                             const std::string& message = "") {
        SCOPED_TRACE(request);
        ASSERT_EQ(read(request, "failure"), "");
        EXPECT_EQ(read(request, "status"), status);
        EXPECT_EQ(read(request, "type"), "application/json");
        const auto body = json::parse(read(request, "body"));
        ASSERT_TRUE(body) << read(request, "body");
        std::vector<std::string> names;
        for (const auto& [name, value] : body->view().members()) {
            names.emplace_back(name);
            EXPECT_NE(value.string().value_or(""), "") << name;
        }
        EXPECT_EQ(names, (std::vector<std::string>{"message", "detail", "help"}));
        if (!message.empty()) {
            EXPECT_EQ(body->view().member("message")->string(), message);
        }
    }

    /// The ids of the webhooks that the page could read.
    static std::vector<std::string> ids(const std::string& request) {
        std::vector<std::string> found;
        const auto body = json::parse(read(request, "body"));
        if (!body) {
            ADD_FAILURE() << request << ": " << read(request, "failure") << read(request, "body");
            return found;
        }
        for (const json::View& webhook : body->view().elements()) {
            found.push_back(webhook.member("id")->string().value_or(""));
        }
        return found;
    }

    static std::vector<std::string> statuses() { return visit_->statuses; }

  private:
    static std::optional<Visit> visit_;
};

std::optional<Visit> Browser::visit_;

TEST_F(Browser, PageOfAnotherOriginSendsAllItsRequests) {
    EXPECT_EQ(read("error", "failure"), "");
}

TEST_F(Browser, ListAndItsHeadersCanBeRead) {
    EXPECT_EQ(read("first", "status"), "200");
    EXPECT_EQ(read("first", "type"), "application/json");
    EXPECT_EQ(read("first", "total"), "5");
    EXPECT_NE(read("first", "etag"), "");
    EXPECT_EQ(ids("first").size(), 5U);
}

TEST_F(Browser, UnchangedListComesFromTheCacheAfterA304) {
    EXPECT_EQ(read("again", "status"), "200");
    EXPECT_EQ(read("again", "body"), read("first", "body"));
    EXPECT_EQ(read("again", "total"), "5");
    EXPECT_EQ(read("again", "etag"), read("first", "etag"));
    ASSERT_GE(statuses().size(), 2U);
    EXPECT_EQ(statuses()[0], "200");
    EXPECT_EQ(statuses()[1], "304");
}

TEST_F(Browser, ChangedListIsFetchedAnew) {
    EXPECT_EQ(read("changed", "status"), "200");
    EXPECT_EQ(ids("changed"), ids("first"));
    EXPECT_NE(read("changed", "body").find("\"new name\""), std::string::npos);
    EXPECT_NE(read("changed", "etag"), read("first", "etag"));
    ASSERT_GE(statuses().size(), 3U);
    EXPECT_EQ(statuses()[2], "200");
}

TEST_F(Browser, OtherUsersOfTheCacheGetTheirOwnAnswer) {
    expect_error("member", "403", "Authorization error");
    expect_error("stranger", "404", "Album Not Found");
    expect_error("anonymous", "401", "Authorization error");
    EXPECT_EQ(read("afterOthers", "status"), "200");
    EXPECT_EQ(read("afterOthers", "body"), read("changed", "body"));
}

TEST_F(Browser, KheopsWebInterfaceShowsTheList) {
    EXPECT_EQ(read("kheops", "status"), "200");
    EXPECT_EQ(
        read("kheops", "rows"),
        "QAdfIstxuOvwkcm39WEO | new name | https://webhook.site/123456 | new_series+new_user | true"
        " | 11 | both\n"
        "kCMP3HU3GvcLOl8rNCLQ | another name | https://webhook.site/abcdef | "
        "new_series+remove_series | true | 0 | none\n"
        "Xc4rTq0ZbN7yWm2KdLs9 | Radiology \"on call\" – Zürich | "
        "https://hooks.example.org/pacs?site=zh&kind=knee | "
        "new_series+remove_series+new_user+delete_album | true | 2 | both\n"
        "hP8vGe5JuF1oAi6RnBx3 | switched off | https://webhook.site/123456 |  | false | 0 | none\n"
        "Dz2MwYk7QsCt9Vj4HfE0 | the first one | https://hooks.example.org/first | delete_album | "
        "true | 0 | none");
    expect_error("kheopsLoggedOut", "401", "Authorization error");  // it sends "Bearer undefined"
}

TEST_F(Browser, LinkLeadsToTheNextPage) {
    EXPECT_EQ(read("page", "status"), "200");
    EXPECT_EQ(read("page", "total"), "5");
    EXPECT_EQ(ids("page"),
              (std::vector<std::string>{"QAdfIstxuOvwkcm39WEO", "kCMP3HU3GvcLOl8rNCLQ"}));
    EXPECT_EQ(read("nextPage", "status"), "200");
    EXPECT_EQ(ids("nextPage"),
              (std::vector<std::string>{"Xc4rTq0ZbN7yWm2KdLs9", "hP8vGe5JuF1oAi6RnBx3"}));
}

TEST_F(Browser, RefusalsOfTheRequestCanBeRead) {
    expect_error("badQuery", "400", "Bad Query Parameter");
    expect_error("noPath", "404", "Not Found");
    expect_error("tooLong", "414");
}

TEST_F(Browser, LimitOfRequestsCanBeReadAndCountsNoPreflight) {
    EXPECT_EQ(read("allowed", "status"), "200");
    expect_error("limited", "429");
}

TEST_F(Browser, EndOfTheWorkerCanBeRead) {
    expect_error("workerEnded", "502");
    expect_error("neverAskedBefore", "502");  // the preflight too finds no worker
}

}  // namespace
}  // namespace kheops::test
