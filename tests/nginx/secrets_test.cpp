// SPDX-License-Identifier: MIT

// Secrets stay in the worker and the database: the tests put canaries wherever a token or a secret
// can be, and look for them in every answer and in the log at level debug.

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>

#include "support/test_keys.hpp"
#include "support/test_site.hpp"

namespace kheops::test {
namespace {

constexpr const char* kList = "/albums/DemoAlbum1/webhooks";
constexpr const char* kPassword = "CanaryOfTheDatabasePassword";
constexpr const char* kWebhookSecret = "CanaryOfAWebhookSecret";
constexpr const char* kKeySecret = "CanaryOfAnHmacKeyThatIsLongEnoughForHS256";

class Secrets : public testing::Test {
  protected:
    Secrets() : site_({"sql/schema.sql", "sql/example-data.sql"}, settings()) {
        site_.database().execute("UPDATE webhooks SET secret = $1", {kWebhookSecret});
        canaries_ = {kPassword, kWebhookSecret, kKeySecret, encode_base64url(kKeySecret)};
    }

    static Settings settings() {
        return {{"KHEOPS_WEBHOOKS_LOG", "debug"}, {"PGPASSWORD", kPassword}};
    }

    /// Asks with that Authorization header; the credentials and each of their parts are secret.
    void ask(const std::string& scheme, const std::string& credentials) {
        for (const std::string& target :
             {std::string(kList), std::string(kList) + "?limit=x", std::string("/elsewhere")}) {
            for (const char* method : {"GET", "HEAD", "POST", "OPTIONS"}) {
                const HttpAnswer answer = site_.fetch(
                    method, target, {{"Authorization", scheme + " " + credentials}}, std::nullopt);
                seen_ += answer.body + '\n';
                for (const auto& [name, value] : answer.headers) {
                    seen_ += name + ": " + value + '\n';
                }
            }
        }
        canaries_.push_back(credentials);
        for (size_t at = 0; at < credentials.size();) {
            const size_t end = std::min(credentials.find('.', at), credentials.size());
            if (end - at >= 8) {
                canaries_.push_back(credentials.substr(at, end - at));
            }
            at = end + 1;
        }
    }

    void ask_everything() {
        ask("Bearer", mint_token("alice"));
        ask("Bearer", mint_token("nobody"));
        ask("bearer", mint_token("alice") + "x");
        ask("Bearer", "CanaryHeader.CanaryPayload.CanarySignature");
        ask("Bearer", "CanaryWithoutParts");
        ask("Bearer", "CanaryWith space");
        ask("Basic", "CanaryUserAndPassword");
        const SigningKey key = SigningKey::hmac(kKeySecret);
        ask("Bearer", sign_jws_with(key, "HS256", R"({"sub":"CanaryForgedSubject"})"));
        ask("Bearer", sign_jws_with(key, "HS256", "CanaryNoJson", R"("kid":"k","jku":"http://x")"));
        // The kid is not secret: the reason of the refusal shows it.
        canaries_.insert(canaries_.end(), {"CanaryForgedSubject", "CanaryNoJson"});
    }

    void expect_nothing_seen() {
        const std::string all = seen_ + site_.worker().log();
        EXPECT_NE(site_.worker().log().find("status=401"), std::string::npos);
        for (const std::string& canary : canaries_) {
            EXPECT_EQ(all.find(canary), std::string::npos) << canary << " in:\n" << all;
        }
    }

    TestSite site_;
    std::vector<std::string> canaries_;
    std::string seen_;
};

TEST_F(Secrets, AppearInNoAnswerAndNoLog) {
    ask_everything();
    EXPECT_NE(seen_.find("QAdfIstxuOvwkcm39WEO"), std::string::npos);  // there was a list
    expect_nothing_seen();
}

TEST_F(Secrets, DoNotAppearWhenTheDatabaseFails) {
    site_.database().rename_away();
    ask_everything();
    site_.database().rename_back();
    site_.database().execute("ALTER TABLE webhooks RENAME TO elsewhere");
    ask_everything();
    site_.database().terminate_backends();
    ask_everything();
    EXPECT_NE(site_.worker().log().find("event=database_lost"), std::string::npos);
    expect_nothing_seen();
}

TEST_F(Secrets, DoNotAppearWhenAnErrorMessageHoldsOne) {
    site_.database().execute("ALTER TABLE webhooks RENAME TO elsewhere");
    // The server's message quotes the secret: invalid input syntax for type integer.
    site_.database().execute(
        "CREATE VIEW webhooks AS SELECT pk, id, name, url, enabled, creation_time, album_fk, "
        "new_series, remove_series, new_user, delete_album, secret::integer::text AS secret "
        "FROM elsewhere");
    ask_everything();
    EXPECT_NE(site_.worker().log().find("sqlstate=22P02"), std::string::npos)
        << site_.worker().log();
    expect_nothing_seen();
}

TEST_F(Secrets, DoNotAppearWhenAWarningHoldsOne) {
    site_.database().execute("ALTER TABLE webhooks RENAME TO elsewhere");
    site_.database().execute(
        "CREATE FUNCTION warn(secret text) RETURNS text LANGUAGE plpgsql AS "
        "'BEGIN RAISE WARNING ''%'', secret; RETURN secret; END'");
    site_.database().execute(
        "CREATE VIEW webhooks AS SELECT pk, id, name, url, enabled, creation_time, album_fk, "
        "new_series, remove_series, new_user, delete_album, warn(secret) AS secret "
        "FROM elsewhere");
    ask_everything();
    EXPECT_NE(seen_.find("QAdfIstxuOvwkcm39WEO"), std::string::npos);
    expect_nothing_seen();
}

TEST_F(Secrets, DoNotAppearWhenTheServerRejectsThePassword) {
    const std::string role = "canary_" + std::to_string(::getpid());
    site_.database().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'x' IN ROLE needs_password");
    {
        TestSite refused({}, {{"KHEOPS_WEBHOOKS_LOG", "debug"},
                              {"KHEOPS_WEBHOOKS_DATABASE", site_.database().conninfo() + " user=" +
                                                               role + " password=" + kPassword}});
        const HttpAnswer answer = refused.get(kList, "alice");
        EXPECT_EQ(answer.status, 503);
        EXPECT_EQ(answer.body.find(kPassword), std::string::npos) << answer.body;
        refused.worker().await_log("password authentication failed");
        const std::string log = refused.worker().log();
        EXPECT_EQ(log.find(kPassword), std::string::npos) << log;
    }
    site_.database().execute("DROP ROLE " + role);
}

TEST_F(Secrets, AreNotWrittenToACoreDump) {
    rlimit before = {};
    ::getrlimit(RLIMIT_CORE, &before);
    const rlimit all = {.rlim_cur = before.rlim_max, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_CORE, &all);
    TestWorker worker(settings());
    ::setrlimit(RLIMIT_CORE, &before);
    worker.await_log("event=started");
    worker.signal(SIGQUIT);
    EXPECT_EQ(worker.exit_status(), 128 + SIGQUIT);
    EXPECT_FALSE(worker.dumped_core());
}

}  // namespace
}  // namespace kheops::test
