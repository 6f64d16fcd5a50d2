// SPDX-License-Identifier: MIT
#include "provider/key_cache.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/files.hpp"
#include "support/temporary_directory.hpp"

namespace kheops {
namespace {

using test::read_file;
using test::TemporaryDirectory;
using test::write_file;

using std::chrono::seconds;
using std::chrono::sys_seconds;

const CachedKeys kKeys = {"https://p.example/realms/\"k\"", "https://p.example/",
                          "{\"keys\":[]}\n\xC3\xA9", sys_seconds(seconds(1'800'000'000))};

/// Why the file cannot be used; empty if it can.
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

TEST(KeyCache, HasMode0600AndLeavesNoOtherFile) {
    const TemporaryDirectory directory;
    write_key_cache(directory.file("keys"), kKeys);
    struct stat status {};
    ASSERT_EQ(::stat(directory.file("keys").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(KeyCache, AFailedWriteChangesNothing) {
    const TemporaryDirectory directory;
    EXPECT_THROW(write_key_cache(directory.file("nowhere/keys"), kKeys), CacheError);

    std::filesystem::create_directory(directory.file("keys"));  // rename() refuses
    EXPECT_THROW(write_key_cache(directory.file("keys"), kKeys), CacheError);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(KeyCache, IsRefusedIfItIsDamaged) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    write_key_cache(path, kKeys);
    const std::string whole = read_file(path);
    for (size_t size = 0; size + 1 < whole.size(); size += 7) {
        write_file(path, whole.substr(0, size));
        EXPECT_EQ(refusal_of(path), "is damaged") << whole.substr(0, size);
    }
    for (const char* text : {"[]", "{}", R"({"provider":"p","issuer":"i","jwk_set":"{}"})",
                             R"({"provider":"p","issuer":"i","jwk_set":"{}","fetched":"1"})",
                             R"({"provider":"p","issuer":"i","jwk_set":"{}","fetched":-1})",
                             R"({"provider":"p","issuer":"i","jwk_set":"{}","fetched":1e300})",
                             R"({"provider":"p","issuer":"i","jwk_set":{},"fetched":1})"}) {
        write_file(path, text);
        EXPECT_EQ(refusal_of(path), "is damaged") << text;
    }
}

TEST(KeyCache, IsRefusedIfOthersCanWriteIt) {
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

TEST(KeyCache, IsRefusedIfAnotherUserOwnsIt) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can change a file's owner";
    }
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    write_key_cache(path, kKeys);
    constexpr uid_t kNobody = 65534;
    ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(refusal_of(path), "can be written by other users");
}

/// The age at second 10,000 of keys fetched at second `fetched`, or why they cannot be used. The
/// maximum age is 1,000 seconds.
std::string age_at_10000(seconds fetched) {
    CachedKeys keys = kKeys;
    keys.fetched = sys_seconds(fetched);
    try {
        return std::to_string(age_of(keys, seconds(1000), sys_seconds(seconds(10'000))).count());
    } catch (const CacheError& error) {
        return error.what();
    }
}

TEST(KeyCache, IsUsedUpToTheMaximumAge) {
    EXPECT_EQ(age_at_10000(seconds(10'000)), "0");
    EXPECT_EQ(age_at_10000(seconds(9'001)), "999");
    EXPECT_EQ(age_at_10000(seconds(9'000)), "is too old");
    EXPECT_EQ(age_at_10000(seconds(0)), "is too old");
}

TEST(KeyCache, FromTheFutureIsRefusedBeyond60Seconds) {
    EXPECT_EQ(age_at_10000(seconds(10'001)), "0");
    EXPECT_EQ(age_at_10000(seconds(10'060)), "0");
    for (const std::int64_t fetched :
         {std::int64_t{10'061}, std::int64_t{20'242'000'000}, std::int64_t{100'000'000'000}}) {
        EXPECT_EQ(age_at_10000(seconds(fetched)), "has a date in the future") << fetched;
    }
}

TEST(KeyCache, ATimeTooLargeForNanosecondsIsReadUnchanged) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("keys");
    CachedKeys keys = kKeys;
    for (const std::int64_t fetched : {std::int64_t{9'223'372'037}, std::int64_t{20'242'000'000},
                                       std::int64_t{100'000'000'000}}) {
        keys.fetched = sys_seconds(seconds(fetched));
        write_key_cache(path, keys);
        EXPECT_EQ(read_key_cache(path).value().fetched, keys.fetched) << fetched;
    }
}

TEST(KeyCache, MustBeARegularFileOfAtMost8MiB) {
    const TemporaryDirectory directory;
    EXPECT_EQ(refusal_of(directory.path()), "is not a regular file");
    ASSERT_EQ(::mkfifo(directory.file("pipe").c_str(), 0600), 0);
    EXPECT_EQ(refusal_of(directory.file("pipe")), "is not a regular file");
    const std::string large = directory.file("large");
    write_key_cache(large, kKeys);  // with mode 0600, whatever the umask
    write_file(large, std::string(size_t{9} * 1024 * 1024, ' '));
    EXPECT_EQ(refusal_of(large), "is longer than 8388608 octets");
}

}  // namespace
}  // namespace kheops
