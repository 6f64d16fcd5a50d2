// SPDX-License-Identifier: MIT
#include "provider/key_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "descriptor.hpp"
#include "regular_file.hpp"
#include "text/json.hpp"

namespace kheops {

namespace {

/// Enough for a key set of 1 MiB as a JSON string, in which one octet may need six.
constexpr std::size_t kMaxFileSize = std::size_t{8} * 1024 * 1024;

[[noreturn]] void fail(const char* what) {
    throw CacheError(std::string(what) + ": " + std::generic_category().message(errno));
}

void require_private_file(const struct stat& file) {
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (file.st_uid != ::geteuid() && file.st_uid != 0)) {
        throw CacheError("can be written by other users");
    }
}

void write_whole(int descriptor, const std::string& text) {
    for (size_t written = 0; written < text.size();) {
        const ssize_t count = ::write(descriptor, text.data() + written, text.size() - written);
        if (count < 0 && errno != EINTR) {
            fail("cannot be written");
        }
        written += count > 0 ? static_cast<size_t>(count) : 0;
    }
}

}  // namespace

std::optional<CachedKeys> read_key_cache(const std::string& path) {
    std::optional<json::Value> root;
    try {
        const RegularFile file(path);
        require_private_file(file.status());
        root = json::parse(file.read(kMaxFileSize));
    } catch (const FileError& error) {
        if (error.missing()) {
            return std::nullopt;
        }
        throw CacheError(error.what());
    }
    const auto member = [&root](const char* name) {
        return root ? root->view().member(name) : std::nullopt;
    };
    const auto text = [&member](const char* name) {
        const std::optional<json::View> found = member(name);
        return found ? found->string() : std::nullopt;
    };
    const std::optional<json::View> seconds = member("fetched");
    const double fetched = seconds ? seconds->number().value_or(-1) : -1;
    constexpr double kMaxFetched = 1e11;  // in the year 5138
    if (!text("provider") || !text("issuer") || !text("jwk_set") || fetched < 0 ||
        fetched > kMaxFetched) {
        throw CacheError("is damaged");
    }
    return CachedKeys{
        *text("provider"), *text("issuer"), *text("jwk_set"),
        std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(fetched)))};
}

std::chrono::seconds age_of(const CachedKeys& keys, std::chrono::seconds max_age,
                            std::chrono::sys_seconds now) {
    constexpr std::chrono::seconds kClockSkew(60);
    const std::chrono::seconds age = now - keys.fetched;
    if (age < -kClockSkew) {
        throw CacheError("has a date in the future");
    }
    if (age >= max_age) {
        throw CacheError("is too old");
    }
    return std::max(age, std::chrono::seconds(0));
}

void write_key_cache(const std::string& path, const CachedKeys& keys) {
    json::Value root = json::Value::object();
    root.add("provider", json::Value::string(keys.provider));
    root.add("issuer", json::Value::string(keys.issuer));
    root.add("fetched",
             json::Value::number(static_cast<double>(keys.fetched.time_since_epoch().count())));
    root.add("jwk_set", json::Value::string(keys.jwk_set));

    std::string temporary = path + ".XXXXXX";
    const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (file.number() < 0) {
        fail("cannot be written");
    }
    try {
        write_whole(file.number(), root.text() + "\n");
        if (::fsync(file.number()) != 0 || std::rename(temporary.c_str(), path.c_str()) != 0) {
            fail("cannot be written");
        }
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
}

}  // namespace kheops
