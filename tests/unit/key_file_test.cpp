// SPDX-License-Identifier: MIT
#include "token/key_file.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "support/await.hpp"
#include "support/files.hpp"
#include "support/standard_error.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"

namespace kheops {
namespace {

using test::await;
using test::jwk_set;
using test::SigningKey;
using test::TemporaryDirectory;
using test::write_file;

const Log kLog(LogLevel::error);

Deadline some_time() {
    return Deadline(Clock::now() + std::chrono::minutes(1));
}

TEST(KeyFile, IsReadAtTheStartAndOnReload) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    const SigningKey key = SigningKey::ed25519();
    write_file(path, jwk_set({key.jwk(R"("kid":"a")")}));
    FileKeys keys(path, "issuer", kLog);
    const KeySource::Keys first = keys.current();
    EXPECT_EQ(first->issuer, "issuer");
    EXPECT_EQ(first->keys.keys.front().kid, "a");

    keys.start_refreshing();
    write_file(path, jwk_set({key.jwk(R"("kid":"b")")}));
    EXPECT_EQ(keys.current(), first);
    EXPECT_EQ(keys.newer_than(first, some_time()), first);
    keys.reload();
    await("the file is read", [&] { return keys.current() != first; });
    EXPECT_EQ(keys.current()->keys.keys.front().kid, "b");
    EXPECT_EQ(first->keys.keys.front().kid, "a") << "the old keys have changed";
}

TEST(KeyFile, IsNotReadByTheCallerOfReload) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    const SigningKey key = SigningKey::ed25519();
    write_file(path, jwk_set({key.jwk(R"("kid":"a")")}));
    FileKeys keys(path, "issuer", kLog);
    const KeySource::Keys first = keys.current();
    write_file(path, jwk_set({key.jwk(R"("kid":"b")")}));
    keys.reload();
    EXPECT_EQ(keys.current(), first) << "reload() read the file itself";
    keys.start_refreshing();
    await("the file is read", [&] { return keys.current() != first; });
}

TEST(KeyFile, LastVersionIsUsedAfterManyReloads) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    const SigningKey key = SigningKey::ed25519();
    write_file(path, jwk_set({key.jwk(R"("kid":"a")")}));
    FileKeys keys(path, "issuer", kLog);
    keys.start_refreshing();
    for (int i = 0; i <= 50; ++i) {
        write_file(directory.file("next"),
                   jwk_set({key.jwk("\"kid\":\"" + std::to_string(i) + '"')}));
        std::filesystem::rename(directory.file("next"), path);
        keys.reload();
    }
    await("the last file is read", [&] { return keys.current()->keys.keys.front().kid == "50"; });
}

TEST(KeyFile, AnInvalidFileKeepsThePreviousKeys) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    const SigningKey key = SigningKey::ed25519();
    write_file(path, jwk_set({key.jwk()}));
    const test::StandardErrorFile logged;
    const Log log(LogLevel::error);
    FileKeys keys(path, "issuer", log);
    keys.start_refreshing();
    const KeySource::Keys before = keys.current();
    write_file(path, "{");
    keys.reload();
    await("the reason is logged",
          [&] { return logged.text().find("event=keys_not_reloaded") != std::string::npos; });
    EXPECT_EQ(keys.current(), before);
}

TEST(KeyFile, InvalidKeysAreLoggedInFewLines) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    std::vector<std::string> jwks(300, R"({"kid":"junk"})");
    jwks.push_back(SigningKey::ed25519().jwk());
    write_file(path, jwk_set(jwks));
    testing::internal::CaptureStderr();
    const FileKeys keys(path, "issuer", Log(LogLevel::info));
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 7) << log;
    EXPECT_NE(log.find("event=keys_skipped level=warning more=295\n"), std::string::npos) << log;
}

/// Why the file is refused.
std::string refusal_of(const std::string& path) {
    try {
        const FileKeys keys(path, "issuer", kLog);
        return "";
    } catch (const KeySetError& error) {
        return error.what();
    }
}

TEST(KeyFile, MustBeARegularFileOfAtMost1MiBWithAKey) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    EXPECT_EQ(refusal_of(directory.file("none")), "cannot be opened: No such file or directory");
    EXPECT_EQ(refusal_of(directory.path()), "is not a regular file");
    EXPECT_EQ(refusal_of("/dev/zero"), "is not a regular file");
    ASSERT_EQ(::mkfifo(directory.file("pipe").c_str(), 0600), 0);
    EXPECT_EQ(refusal_of(directory.file("pipe")), "is not a regular file");

    std::string text = jwk_set({SigningKey::ed25519().jwk()});
    text.resize(size_t{1024} * 1024, ' ');
    write_file(path, text);
    EXPECT_EQ(refusal_of(path), "");
    std::filesystem::create_symlink(path, directory.file("link"));
    EXPECT_EQ(refusal_of(directory.file("link")), "");
    write_file(path, text + ' ');
    EXPECT_EQ(refusal_of(path), "is longer than 1048576 octets");
}

}  // namespace
}  // namespace kheops
