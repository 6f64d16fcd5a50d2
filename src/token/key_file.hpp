// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <string>

#include "log.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// The keys of a file: a JWK Set, or public keys or certificates in PEM.
class FileKeys : public KeySource {
  public:
    /// Reads the file and tells the log which of its keys are left out. `log` outlives this. Throws
    /// KeySetError when the file cannot be read or no key in it can be used.
    FileKeys(std::string path, std::string issuer, const Log& log);

    [[nodiscard]] Keys current() const override;
    /// A file is read when the administrator says so, and at no other time.
    [[nodiscard]] Keys renew(const Keys& known, Deadline deadline) override;
    /// Reads the file again; where that fails, the keys read before stay, and the log says why.
    void reload() override;

  private:
    [[nodiscard]] Keys read() const;

    std::string path_;
    std::string issuer_;
    const Log& log_;
    mutable std::mutex mutex_;
    Keys keys_;  // under mutex_
};

/// Tells the log which keys of a set cannot serve, and why.
void log_left_out(const KeySet& set, const Log& log);

}  // namespace kheops
