// SPDX-License-Identifier: MIT

// A worker whose settings are in a file (--settings).

#include <gtest/gtest.h>

#include "support/await.hpp"
#include "support/database.hpp"
#include "support/fastcgi_client.hpp"
#include "support/files.hpp"
#include "support/log_reference.hpp"
#include "support/process.hpp"
#include "support/sockets.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"
#include "support/test_worker.hpp"

namespace kheops::test {
namespace {

class SettingsOfAFile : public testing::Test {
  protected:
    [[nodiscard]] std::string settings() const { return directory_.file("settings"); }
    [[nodiscard]] std::string socket() const { return directory_.file("worker.sock"); }
    [[nodiscard]] std::string log() const { return read_file(directory_.file("log")); }

    /// A worker on listener_ with this environment and the settings file.
    std::unique_ptr<ChildProcess> start(Settings environment = {}) {
        write_file(directory_.file("log"), "");
        for (const auto& [name, value] : worker_environment({{"KHEOPS_OIDC_PROVIDER", "-"}}, "")) {
            if (name != "KHEOPS_OIDC_PROVIDER") {  // the options of sanitizers
                environment.emplace(name, value);
            }
        }
        return std::make_unique<ChildProcess>(
            Command{.arguments = {worker_program(WorkerBuild::standard), "--settings", settings()},
                    .environment = environment,
                    .standard_input = listener_.number(),
                    .standard_error = directory_.file("log")});
    }

    void write_settings(const std::string& more) {
        write_file(directory_.file("keys.json"), test_key_set());
        write_file(settings(), "# The worker's settings\nKHEOPS_WEBHOOKS_DATABASE=\"" +
                                   database_.conninfo() +
                                   "\"\nKHEOPS_WEBHOOKS_JWKS=" + directory_.file("keys.json") +
                                   "\nKHEOPS_WEBHOOKS_ISSUER=\"" + kTestIssuer + "\"\n" + more);
    }

    TemporaryDirectory directory_;
    TestDatabase database_{{"sql/schema.sql", "sql/example-data.sql"}};
    Descriptor listener_ = listen_unix(socket());
};

TEST_F(SettingsOfAFile, AreUsedUnlessTheEnvironmentHasOthers) {
    write_settings("KHEOPS_WEBHOOKS_THREADS=3\nKHEOPS_WEBHOOKS_TIMEOUT=wrong\n");
    const auto worker = start({{"KHEOPS_WEBHOOKS_TIMEOUT", "4"}});
    FastCgiClient client(socket());
    client.send(
        fastcgi_request(get_parameters("/albums/DemoAlbum1/webhooks", mint_token("alice")), true));
    EXPECT_EQ(status_of(client.receive_answer()), 200) << log();
    EXPECT_NE(log().find("event=started level=info threads=3\n"), std::string::npos) << log();
    worker->terminate();
    EXPECT_EQ(worker->wait(), 0) << log();
}

TEST_F(SettingsOfAFile, ThatAreUnknownAreLoggedAtTheStart) {
    write_settings("KHEOPS_WEBHOOKS_THREAD=3\nKHEOPS_WEBHOOKS_COLOUR=\"secret\"\n");
    const auto worker = start();
    await("the worker has started",
          [&] { return log().find("event=started") != std::string::npos; });
    worker->terminate();
    EXPECT_EQ(worker->wait(), 0) << log();
    EXPECT_EQ(log().find("event=setting_unknown level=warning name=KHEOPS_WEBHOOKS_COLOUR "
                         "nearest=\"\"\n"
                         "event=setting_unknown level=warning name=KHEOPS_WEBHOOKS_THREAD "
                         "nearest=KHEOPS_WEBHOOKS_THREADS\n"),
              0U)
        << log();
    EXPECT_EQ(log().find("secret"), std::string::npos) << log();
    expect_documented(log());
}

TEST_F(SettingsOfAFile, ThatAreMalformedOrWrongAreAllNamed) {
    write_settings("password secret\nKHEOPS_WEBHOOKS_THREADS=0\n");
    EXPECT_EQ(start()->wait(), 2);
    EXPECT_TRUE(log().ends_with(
        "kheops-webhooks: settings file " + settings() +
        ", line 5: must be NAME=value or a comment, but has no =\n"
        "kheops-webhooks: KHEOPS_WEBHOOKS_THREADS=0: must be a whole number from 1 to 256\n"))
        << log();
    EXPECT_EQ(log().find("secret"), std::string::npos) << log();
}

TEST_F(SettingsOfAFile, ThatCannotBeReadStopTheProgram) {
    EXPECT_EQ(start()->wait(), 2);
    EXPECT_EQ(log(), "kheops-webhooks: settings file " + settings() +
                         ": cannot be opened: No such file or directory\n");
}

TEST_F(SettingsOfAFile, ThatAreMisspeltAreNamedBesideTheMissingOne) {
    write_file(settings(), "KHEOPS_WEBHOOKS_JWK=/etc/keys.json\n");
    EXPECT_EQ(start()->wait(), 2);
    EXPECT_EQ(log().find("event=setting_unknown level=warning name=KHEOPS_WEBHOOKS_JWK "
                         "nearest=KHEOPS_WEBHOOKS_JWKS\n"
                         "kheops-webhooks: KHEOPS_WEBHOOKS_JWKS=\"\": must be "),
              0U)
        << log();
}

TEST_F(SettingsOfAFile, ThatAreWrongLetNoWebServerWait) {
    write_settings("KHEOPS_WEBHOOKS_THREADS=0\n");
    FastCgiClient first(socket());
    FastCgiClient second(socket());
    EXPECT_EQ(start()->wait(), 2);
    EXPECT_TRUE(first.is_reset());
    EXPECT_TRUE(second.is_reset());
}

}  // namespace
}  // namespace kheops::test
