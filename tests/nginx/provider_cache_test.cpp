// SPDX-License-Identifier: MIT

// The file in which the worker keeps a provider's keys, and keys that it reads again on SIGHUP.

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/provider_site.hpp"
#include "text/json.hpp"

namespace kheops::test {
namespace {

constexpr const char* kLost = "event=keys_lost level=error reason=";

class KeysCache : public testing::Test {
  protected:
    [[nodiscard]] std::string file() const { return directory_.file("keys.json"); }
    [[nodiscard]] Settings settings() const { return {{"KHEOPS_WEBHOOKS_KEYS_CACHE", file()}}; }

    /// The names of all files in its directory.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
            names.push_back(entry.path().filename());
        }
        return names;
    }

    /// Starts a worker, which writes the file, and stops it.
    void fill() {
        ProviderSite site(provider_.url(), settings());
        site.await_status(provider_.token("alice"), 200);
        await("the file exists", [this] { return std::filesystem::exists(file()); });
    }

    TemporaryDirectory directory_;
    TestProvider provider_;
};

TEST_F(KeysCache, ServesAfterARestartDuringAnOutage) {
    ProviderSite site(provider_.url(), settings());
    const std::string token = provider_.token("alice");
    site.await_status(token, 200);
    await("the file exists", [this] { return std::filesystem::exists(file()); });
    provider_.stop();
    site.worker().restart();
    EXPECT_EQ(site.status(token), 200) << site.worker().log();
    site.worker().await_log(kLost);
    EXPECT_EQ(site.status(token), 200) << site.worker().log();
    EXPECT_EQ(site.status(token_of_unknown_key(provider_)), 503);

    // The keys of a provider that is back replace those of the file.
    provider_.rotate();
    provider_.start();
    site.await_status(provider_.token("alice"), 200);
    EXPECT_EQ(site.status(token), 401);
}

TEST_F(KeysCache, IsPrivateJsonAndReplacedAtomically) {
    ProviderSite site(provider_.url(), settings());
    site.await_status(provider_.token("alice"), 200);
    await("the file exists", [this] { return std::filesystem::exists(file()); });
    struct stat status = {};
    ASSERT_EQ(::stat(file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    EXPECT_TRUE(json::parse(read_file(file()))) << read_file(file());
    EXPECT_EQ(names(), std::vector<std::string>{"keys.json"});

    // A file that a process has open keeps its content.
    const std::filesystem::path other_name = directory_.file("other");
    std::filesystem::create_hard_link(file(), other_name);
    const std::string before = read_file(file());
    provider_.rotate();
    site.await_status(provider_.token("alice"), 200);
    await("the file is replaced", [&] { return read_file(file()) != before; });
    EXPECT_EQ(read_file(other_name), before);
    EXPECT_TRUE(json::parse(read_file(file()))) << read_file(file());
}

TEST_F(KeysCache, OfAnotherProviderIsIgnored) {
    fill();
    TestProvider other;
    other.stop();
    ProviderSite site(other.url(), settings());
    site.worker().await_log(kLost);
    // A token that a key in the file would verify.
    EXPECT_EQ(site.status(provider_.token("alice")), 503) << site.worker().log();
    EXPECT_NE(site.worker().log().find(file()), std::string::npos) << site.worker().log();
    other.start();
    site.await_status(other.token("alice"), 200);
}

TEST_F(KeysCache, ThatCannotBeWrittenIsLoggedAndServiceContinues) {
    ProviderSite site(provider_.url(),
                      {{"KHEOPS_WEBHOOKS_KEYS_CACHE", directory_.file("missing/keys.json")}});
    site.await_status(provider_.token("alice"), 200);
    site.worker().await_log(directory_.file("missing/keys.json"));
    provider_.rotate();
    site.await_status(provider_.token("alice"), 200);
}

/// A way to damage the file.
struct Damage {
    const char* name;
    std::function<void(const std::string& path)> make;
};

void PrintTo(const Damage& damage, std::ostream* stream) {
    *stream << damage.name;
}

class DamagedKeysCache : public KeysCache, public testing::WithParamInterface<Damage> {};

INSTANTIATE_TEST_SUITE_P(
    That, DamagedKeysCache,
    testing::Values(Damage{"IsEmpty", [](const std::string& path) { write_file(path, ""); }},
                    Damage{"IsTruncated",
                           [](const std::string& path) {
                               const std::string text = read_file(path);
                               write_file(path, text.substr(0, text.size() / 2));
                           }},
                    Damage{"IsNotJson", [](const std::string& path) { write_file(path, "keys"); }},
                    Damage{"IsJsonOfAnotherShape",
                           [](const std::string& path) { write_file(path, R"(["keys"])"); }},
                    Damage{"IsABareKeySet",
                           [](const std::string& path) { write_file(path, test_key_set()); }},
                    Damage{"IsADirectory",
                           [](const std::string& path) {
                               std::filesystem::remove(path);
                               std::filesystem::create_directory(path);
                           }}),
    [](const auto& test) { return test.param.name; });

TEST_P(DamagedKeysCache, IsIgnoredAndLogged) {
    fill();
    GetParam().make(file());
    provider_.stop();
    ProviderSite site(provider_.url(), settings());
    site.worker().await_log(kLost);
    EXPECT_EQ(site.status(provider_.token("alice")), 503) << site.worker().log();
    EXPECT_NE(site.worker().log().find(file()), std::string::npos) << site.worker().log();
    provider_.start();
    site.await_status(provider_.token("alice"), 200);
}

// A key file and SIGHUP.

class KeyFile : public testing::Test {
  protected:
    KeyFile() : first_(SigningKey::ec("P-256")), second_(SigningKey::ec("P-256")) {
        write(first_);
        site_ = std::make_unique<TestSite>(
            std::vector<std::string>{"sql/schema.sql", "sql/example-data.sql"},
            Settings{{"KHEOPS_WEBHOOKS_JWKS", file()}});
    }

    [[nodiscard]] std::string file() const { return directory_.file("keys.json"); }
    void write(const SigningKey& key) const {
        write_file(file(), jwk_set({key.jwk(R"("kid":"the-key")")}));
    }
    int status(const SigningKey& key) {
        return site_
            ->fetch("GET", "/albums/DemoAlbum1/webhooks",
                    bearer(mint_token("alice", kTestIssuer, key, "the-key")))
            .status;
    }

    TemporaryDirectory directory_;
    SigningKey first_;
    SigningKey second_;
    std::unique_ptr<TestSite> site_;
};

TEST_F(KeyFile, IsReadAgainOnSighup) {
    EXPECT_EQ(status(first_), 200);
    write(second_);
    EXPECT_EQ(status(second_), 401);
    site_->worker().signal(SIGHUP);
    await("the new key is accepted", [this] { return status(second_) == 200; });
    EXPECT_EQ(status(first_), 401);
}

TEST_F(KeyFile, ThatIsInvalidOnSighupLeavesTheOldKeysInUse) {
    EXPECT_EQ(status(first_), 200);
    const std::vector<std::function<void()>> faults = {
        [this] { std::filesystem::remove(file()); },
        [this] { write_file(file(), "neither JSON nor PEM"); },
        [this] { write_file(file(), R"({"keys":[]})"); },
        [this] {
            std::filesystem::remove(file());
            ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
        }};
    for (const auto& cause : faults) {
        cause();
        const size_t before = site_->worker().log().size();
        site_->worker().signal(SIGHUP);
        await("the reason is logged", [&] {
            return site_->worker().log().find("KHEOPS_WEBHOOKS_JWKS", before) !=
                       std::string::npos ||
                   site_->worker().log().find(file(), before) != std::string::npos;
        });
        EXPECT_EQ(status(first_), 200) << site_->worker().log();
    }
    std::filesystem::remove(file());
    write(second_);
    site_->worker().signal(SIGHUP);
    await("the new key is accepted", [this] { return status(second_) == 200; });
}

}  // namespace
}  // namespace kheops::test
