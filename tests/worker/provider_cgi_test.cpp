// SPDX-License-Identifier: MIT

// A provider's keys under plain CGI, where each request has a process of its own.

#include <gtest/gtest.h>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/files.hpp"
#include "support/process.hpp"
#include "support/provider_site.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

class ProviderCgi : public testing::Test {
  protected:
    [[nodiscard]] Settings settings() const {
        return {{"KHEOPS_WEBHOOKS_KEYS_CACHE", directory_.file("keys.json")}};
    }

    struct Answer {
        int status = 0;
        int exit_status = 0;
        std::string text;
        std::string log;
    };

    Answer ask(const std::string& token, Settings more = {}) {
        more.emplace("KHEOPS_OIDC_PROVIDER", provider_.url());
        more.emplace("KHEOPS_WEBHOOKS_DATABASE", database_.conninfo());
        more.emplace("REQUEST_METHOD", "GET");
        more.emplace("PATH_INFO", "/albums/DemoAlbum1/webhooks");
        more.emplace("HTTP_AUTHORIZATION", "Bearer " + token);
        const TemporaryDirectory output;
        ChildProcess process({.arguments = {worker_program(WorkerBuild::short_times)},
                              .environment = worker_environment(more, ""),
                              .standard_output = output.file("out"),
                              .standard_error = output.file("err")});
        Answer answer;
        answer.exit_status = process.wait();
        answer.text = read_file(output.file("out"));
        answer.log = read_file(output.file("err"));
        if (answer.text.starts_with("Status: ")) {
            answer.status = std::stoi(answer.text.substr(8));
        }
        return answer;
    }

    void expect_unavailable(const Answer& answer) {
        EXPECT_EQ(answer.status, 503) << answer.text << answer.log;
        EXPECT_NE(answer.text.find("Retry-After: "), std::string::npos) << answer.text;
        EXPECT_EQ(answer.exit_status, 0) << answer.log;
    }

    TemporaryDirectory directory_;
    TestProvider provider_;
    TestDatabase database_{{"sql/schema.sql", "sql/example-data.sql"}};
};

TEST_F(ProviderCgi, DownloadsTheKeysWithinTheRequest) {
    const Answer answer = ask(provider_.token("alice"));
    EXPECT_EQ(answer.status, 200) << answer.text << answer.log;
    EXPECT_EQ(answer.exit_status, 0);
    EXPECT_EQ(provider_.count(Document::keys), 1U);
    EXPECT_EQ(ask(token_of_unknown_key(provider_)).status, 401);
}

TEST_F(ProviderCgi, CachesTheKeysForTheNextRequests) {
    EXPECT_EQ(ask(provider_.token("alice"), settings()).status, 200);
    EXPECT_EQ(ask(provider_.token("alice"), settings()).status, 200);
    EXPECT_EQ(provider_.count(Document::keys), 1U);
}

TEST_F(ProviderCgi, ServesFromTheCacheDuringAnOutage) {
    EXPECT_EQ(ask(provider_.token("alice"), settings()).status, 200);
    provider_.stop();
    EXPECT_EQ(ask(provider_.token("alice"), settings()).status, 200);
    // During the cool-down after the download that the file records, the answer is 401.
    Answer answer;
    await("an unknown key causes a download", [&] {
        answer = ask(token_of_unknown_key(provider_), settings());
        return answer.status != 401;
    });
    expect_unavailable(answer);
    expect_unavailable(ask(provider_.token("alice")));
}

TEST_F(ProviderCgi, DownloadsAKeyThatIsNotInTheCache) {
    EXPECT_EQ(ask(provider_.token("alice"), settings()).status, 200);
    provider_.rotate();
    // After the cool-down, which begins at the time in the file.
    await("the new key is downloaded",
          [&] { return ask(provider_.token("alice"), settings()).status == 200; });
}

TEST_F(ProviderCgi, SilentProviderIsNotWaitedForBeyondTheBudget) {
    provider_.set_behaviour(Document::keys, Behaviour::silent);
    expect_unavailable(ask(provider_.token("alice"), {{"KHEOPS_WEBHOOKS_TIMEOUT", "0.5"}}));
}

}  // namespace
}  // namespace kheops::test
