// SPDX-License-Identifier: MIT
#include "token/key_file.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace kheops {

namespace {

std::string read_file(const std::string& path) {
    const std::ifstream stream(path, std::ios::binary);
    if (!stream.is_open()) {
        throw KeySetError("cannot be read: " + std::generic_category().message(errno));
    }
    if (std::filesystem::is_directory(path)) {  // opens, and then reads as an empty file
        throw KeySetError("is a directory");
    }
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

}  // namespace

FileKeys::FileKeys(std::string path, std::string issuer, const Log& log)
    : path_(std::move(path)), issuer_(std::move(issuer)), log_(log), keys_(read()) {}

KeySource::Keys FileKeys::current() const {
    const std::lock_guard lock(mutex_);
    return keys_;
}

KeySource::Keys FileKeys::renew(const Keys& known, Deadline /*deadline*/) {
    return known;
}

void FileKeys::reload() {
    try {
        Keys keys = read();
        const std::lock_guard lock(mutex_);
        keys_ = std::move(keys);
    } catch (const KeySetError& error) {
        log_.event(LogLevel::error, "keys_not_reloaded",
                   {{"file", path_}, {"reason", error.what()}});
    }
}

KeySource::Keys FileKeys::read() const {
    TrustedKeys trusted{parse_key_set(read_file(path_)), issuer_};
    log_left_out(trusted.keys, log_);
    log_.event(LogLevel::info, "keys",
               {{"file", path_}, {"usable", std::to_string(trusted.keys.keys.size())}});
    return std::make_shared<const TrustedKeys>(std::move(trusted));
}

void log_left_out(const KeySet& set, const Log& log) {
    for (const std::string& reason : set.left_out.reasons()) {
        log.event(LogLevel::warning, "key_left_out", {{"reason", reason}});
    }
    const std::size_t more = set.left_out.count() - set.left_out.reasons().size();
    if (more > 0) {
        log.event(LogLevel::warning, "keys_left_out", {{"more", std::to_string(more)}});
    }
}

}  // namespace kheops
