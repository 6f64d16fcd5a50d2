// SPDX-License-Identifier: MIT
#include "provider/key_cache.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/files.hpp"
#include "support/temporary_directory.hpp"

namespace kheops {
namespace {

using test::read_file;
using test::TemporaryDirectory;
using test::write_file;

const CachedKeys kKeys = {
    "https://p.example/realms/\"k\"", "https://p.example/", "{\"keys\":[]}\n\xC3\xA9",
    std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000))};

/// Why the file cannot be used; empty where it can.
std::string refusal_of(const std::string& path) {
    try {
        static_cast<void>(read_key_cache(path));
        return "";
    } catch (const CacheError& error) {
        return error.what();
    }
}

TEST(KeyCache, IsReadAsItWasWritten) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    EXPECT_FALSE(read_key_cache(path).has_value());
    write_file(path, "something else");
    write_key_cache(path, kKeys);
    const std::optional<CachedKeys> read = read_key_cache(path);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->provider, kKeys.provider);
    EXPECT_EQ(read->issuer, kKeys.issuer);
    EXPECT_EQ(read->jwk_set, kKeys.jwk_set);
    EXPECT_EQ(read->fetched, kKeys.fetched);
}

TEST(KeyCache, IsItsOwnersAloneAndLeavesNothingBeside) {
    const TemporaryDirectory directory;
    write_key_cache(directory.file("keys"), kKeys);
    struct stat status {};
    ASSERT_EQ(::stat(directory.file("keys").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(KeyCache, ThatCannotBeWrittenStaysAsItWas) {
    const TemporaryDirectory directory;
    EXPECT_THROW(write_key_cache(directory.file("nowhere/keys"), kKeys), CacheError);

    std::filesystem::create_directory(directory.file("keys"));  // rename() refuses
    EXPECT_THROW(write_key_cache(directory.file("keys"), kKeys), CacheError);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(KeyCache, IsRefusedWhereItIsDamaged) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    write_key_cache(path, kKeys);
    const std::string whole = read_file(path);
    for (size_t size = 0; size + 1 < whole.size(); size += 7) {
        write_file(path, whole.substr(0, size));
        EXPECT_EQ(refusal_of(path), "damaged") << whole.substr(0, size);
    }
    for (const char* text : {"[]", "{}", R"({"provider":"p","issuer":"i","jwk_set":"{}"})",
                             R"({"provider":"p","issuer":"i","jwk_set":"{}","fetched":"1"})",
                             R"({"provider":"p","issuer":"i","jwk_set":"{}","fetched":-1})",
                             R"({"provider":"p","issuer":"i","jwk_set":"{}","fetched":1e300})",
                             R"({"provider":"p","issuer":"i","jwk_set":{},"fetched":1})"}) {
        write_file(path, text);
        EXPECT_EQ(refusal_of(path), "damaged") << text;
    }
}

TEST(KeyCache, IsRefusedWhereOthersCouldHaveWrittenIt) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    write_key_cache(path, kKeys);
    for (const mode_t mode : {0620, 0602}) {
        ::chmod(path.c_str(), mode);
        EXPECT_NE(refusal_of(path), "") << mode;
    }
    ::chmod(path.c_str(), 0644);
    EXPECT_EQ(refusal_of(path), "");
}

TEST(KeyCache, IsAFile) {
    const TemporaryDirectory directory;
    EXPECT_EQ(refusal_of(directory.path()), "not a regular file");
    ASSERT_EQ(::mkfifo(directory.file("pipe").c_str(), 0600), 0);
    EXPECT_EQ(refusal_of(directory.file("pipe")), "not a regular file");
    write_file(directory.file("large"), std::string(size_t{9} * 1024 * 1024, ' '));
    EXPECT_EQ(refusal_of(directory.file("large")), "too large");
}

}  // namespace
}  // namespace kheops
