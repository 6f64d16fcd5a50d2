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

/// The keys of a regular file of at most 1 MiB: a JWK Set, or public keys or certificates in PEM.
class FileKeys : public KeySource {
  public:
    /// Reads the file and tells the log which of its keys are left out. `log` outlives this. Throws
    /// KeySetError when the file cannot be read or no key in it can be used.
    FileKeys(std::string path, std::string issuer, const Log& log);

    [[nodiscard]] Keys current() const override;
    /// A file is read when the administrator says so, and at no other time.
    [[nodiscard]] Keys newer_than(const Keys& known, Deadline deadline) override;
    /// Has the file read again; where that fails, the keys read before stay, and the log says why.
    void reload() override;
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
    // Under mutex_.
    Keys keys_;
    bool reload_ = false;

    std::jthread refresher_;  // the last member: it uses the others to its end
};

/// Tells the log which keys of a set cannot serve, and why: a few lines, however many there are.
void log_skipped_keys(const KeySet& set, const Log& log);

}  // namespace kheops
