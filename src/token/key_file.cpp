// SPDX-License-Identifier: MIT
#include "token/key_file.hpp"

#include <exception>
#include <utility>

#include "regular_file.hpp"

namespace kheops {

namespace {

constexpr std::size_t kMaxFileSize = std::size_t{1024} * 1024;

std::string read_file(const std::string& path) {
    try {
        return RegularFile(path).read(kMaxFileSize);
    } catch (const FileError& error) {
        throw KeySetError(error.what());
    }
}

}  // namespace

FileKeys::FileKeys(std::string path, std::string issuer, const Log& log)
    : path_(std::move(path)), issuer_(std::move(issuer)), log_(log), keys_(read()) {}

KeySource::Keys FileKeys::current() const {
    const std::lock_guard lock(mutex_);
    return keys_;
}

KeySource::Keys FileKeys::newer_than(const Keys& known, Deadline /*deadline*/) {
    return known;
}

void FileKeys::reload() {
    const std::lock_guard lock(mutex_);
    reload_ = true;
    changed_.notify_all();
}

KeyStatus FileKeys::status() const {
    const std::lock_guard lock(mutex_);
    return {.usable = keys_->keys.keys.size()};
}

void FileKeys::start_refreshing() {
    refresher_ = std::jthread([this](const std::stop_token& stop) { refresh_when_due(stop); });
}

void FileKeys::refresh_when_due(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return reload_; }) && !stop.stop_requested()) {
        reload_ = false;
        lock.unlock();
        refresh();
        lock.lock();
    }
}

void FileKeys::refresh() {
    try {
        Keys keys = read();
        const std::lock_guard lock(mutex_);
        keys_.swap(keys);  // the previous keys are freed after the lock is released
    } catch (const std::exception& error) {
        log_.event(LogLevel::error, "keys_not_reloaded",
                   {{"file", path_}, {"reason", error.what()}});
    }
}

KeySource::Keys FileKeys::read() const {
    TrustedKeys trusted{parse_key_set(read_file(path_)), issuer_};
    log_skipped_keys(trusted.keys, log_);
    log_.event(LogLevel::info, "keys",
               {{"file", path_}, {"usable", std::to_string(trusted.keys.keys.size())}});
    return std::make_shared<const TrustedKeys>(std::move(trusted));
}

void log_skipped_keys(const KeySet& set, const Log& log) {
    for (const std::string& reason : set.skipped.reasons()) {
        log.event(LogLevel::warning, "key_skipped", {{"reason", reason}});
    }
    const std::size_t more = set.skipped.count() - set.skipped.reasons().size();
    if (more > 0) {
        log.event(LogLevel::warning, "keys_skipped", {{"more", std::to_string(more)}});
    }
}

}  // namespace kheops
