// SPDX-License-Identifier: MIT
#include "provider/key_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "descriptor.hpp"
#include "text/json.hpp"

namespace kheops {

namespace {

/// A key set of 1 MiB, written as a JSON string.
constexpr off_t kLargestFile = off_t{8} * 1024 * 1024;

[[noreturn]] void fail(const char* what) {
    throw CacheError(std::string(what) + ": " + std::generic_category().message(errno));
}

void require_trustworthy(const struct stat& file) {
    if (!S_ISREG(file.st_mode)) {
        throw CacheError("not a regular file");
    }
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (file.st_uid != ::geteuid() && file.st_uid != 0)) {
        throw CacheError("others than its owner can write it");
    }
    if (file.st_size > kLargestFile) {
        throw CacheError("too large");
    }
}

std::string read_whole(int descriptor, off_t size) {
    std::string text(static_cast<size_t>(size), '\0');
    size_t filled = 0;
    while (filled < text.size()) {
        const ssize_t count = ::read(descriptor, text.data() + filled, text.size() - filled);
        if (count < 0 && errno != EINTR) {
            fail("cannot be read");
        }
        if (count == 0) {
            break;
        }
        filled += count > 0 ? static_cast<size_t>(count) : 0;
    }
    text.resize(filled);
    return text;
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
    // Without waiting, should the path be a pipe.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.number() < 0) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        fail("cannot be opened");
    }
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) {
        fail("cannot be read");
    }
    require_trustworthy(status);

    const std::optional<json::Value> root = json::parse(read_whole(file.number(), status.st_size));
    const auto member = [&root](const char* name) {
        return root ? root->view().member(name) : std::nullopt;
    };
    const auto text = [&member](const char* name) {
        const std::optional<json::View> found = member(name);
        return found ? found->string() : std::nullopt;
    };
    const std::optional<json::View> seconds = member("fetched");
    const double fetched = seconds ? seconds->number().value_or(-1) : -1;
    constexpr double kLatest = 1e11;  // some three thousand years from now
    if (!text("provider") || !text("issuer") || !text("jwk_set") || fetched < 0 ||
        fetched > kLatest) {
        throw CacheError("damaged");
    }
    return CachedKeys{*text("provider"), *text("issuer"), *text("jwk_set"),
                      std::chrono::system_clock::time_point(
                          std::chrono::seconds(static_cast<std::int64_t>(fetched)))};
}

void write_key_cache(const std::string& path, const CachedKeys& keys) {
    json::Value root = json::Value::object();
    root.add("provider", json::Value::string(keys.provider));
    root.add("issuer", json::Value::string(keys.issuer));
    root.add("fetched",
             json::Value::number(static_cast<double>(
                 std::chrono::duration_cast<std::chrono::seconds>(keys.fetched.time_since_epoch())
                     .count())));
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
