// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "log.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// The keys in a regular file of at most 1 MiB: a JWK Set, or public keys or certificates in PEM.
/// Safe to use from several threads.
class FileKeys : public KeySource {
  public:
    /// Reads the file and logs which of its keys are skipped. `log` must outlive this object.
    /// Throws KeySetError if the file cannot be read or contains no usable key.
    FileKeys(std::string path, std::string issuer, const Log& log);

    [[nodiscard]] Keys current() const override;
    /// Returns `known`: only reload() reads the file again.
    [[nodiscard]] Keys newer_than(const Keys& known, Deadline deadline) override;
    /// Makes the thread of start_refreshing() read the file again. If that fails, the previous keys
    /// stay in use, and the log contains the reason.
    void reload() override;
    [[nodiscard]] KeyStatus status() const override;
    void start_refreshing() override;

  private:
    [[nodiscard]] Keys read() const;
    void refresh_when_due(const std::stop_token& stop);
    void refresh();

    std::string path_;
    std::string issuer_;
    const Log& log_;

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    // Guarded by mutex_.
    Keys keys_;
    bool reload_ = false;

    std::jthread refresher_;  // declared last: the thread uses the other members until it ends
};

/// Logs which keys of a set cannot be used, and why, in at most six lines.
void log_skipped_keys(const KeySet& set, const Log& log);

}  // namespace kheops
