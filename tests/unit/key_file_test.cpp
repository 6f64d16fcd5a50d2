// SPDX-License-Identifier: MIT
#include "token/key_file.hpp"

#include <gtest/gtest.h>

#include "support/files.hpp"
#include "support/temporary_directory.hpp"
#include "support/test_keys.hpp"

namespace kheops {
namespace {

using test::jwk_set;
using test::SigningKey;
using test::TemporaryDirectory;
using test::write_file;

const Log kLog(LogLevel::error);

Deadline some_time() {
    return Deadline(Clock::now() + std::chrono::minutes(1));
}

TEST(KeyFile, IsReadAtTheStartAndWhenToldSo) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    const SigningKey key = SigningKey::ed25519();
    write_file(path, jwk_set({key.jwk(R"("kid":"a")")}));
    FileKeys keys(path, "issuer", kLog);
    const KeySource::Keys first = keys.current();
    EXPECT_EQ(first->issuer, "issuer");
    EXPECT_EQ(first->keys.keys.front().kid, "a");

    write_file(path, jwk_set({key.jwk(R"("kid":"b")")}));
    EXPECT_EQ(keys.current(), first);
    EXPECT_EQ(keys.renew(first, some_time()), first);
    keys.reload();
    EXPECT_EQ(keys.current()->keys.keys.front().kid, "b");
    EXPECT_EQ(first->keys.keys.front().kid, "a") << "who has the old keys keeps them";
}

TEST(KeyFile, ThatIsBadLeavesTheKeysBefore) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    write_file(path, jwk_set({SigningKey::ed25519().jwk()}));
    FileKeys keys(path, "issuer", kLog);
    const KeySource::Keys before = keys.current();
    write_file(path, "{");
    keys.reload();
    EXPECT_EQ(keys.current(), before);
    EXPECT_THROW(FileKeys(path, "issuer", kLog), KeySetError);
    EXPECT_THROW(FileKeys(directory.file("none"), "issuer", kLog), KeySetError);
    EXPECT_THROW(FileKeys(directory.path(), "issuer", kLog), KeySetError);
}

}  // namespace
}  // namespace kheops
