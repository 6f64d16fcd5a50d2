// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// A text of a configuration file, and what a test puts in its place.
struct Substitution {
    std::string from;
    std::string to;
};

/// The content of a file of the folder nginx/ with these changes. Throws std::runtime_error unless
/// each `from` stands there exactly once, so that a test notices when the file has changed.
[[nodiscard]] std::string nginx_file(const std::string& name,
                                     const std::vector<Substitution>& substitutions);

/// A real nginx of the test's own, with a directory of its own and one process that serves.
class TestNginx {
  public:
    /// `http` is what stands in its http block; `@PORT@` in it becomes a free port of 127.0.0.1.
    /// Returns when nginx listens. Throws std::runtime_error with nginx's own words when it refuses
    /// the configuration.
    explicit TestNginx(const std::string& http);
    /// Stops it at once, requests under way included.
    ~TestNginx();
    TestNginx(const TestNginx&) = delete;
    TestNginx& operator=(const TestNginx&) = delete;

    /// The process that serves is a child of this one.
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// The address of a path, which begins with a slash.
    [[nodiscard]] std::string url(const std::string& path) const;
    /// What it has logged so far, from level `info` on, the start included.
    [[nodiscard]] std::string error_log() const;

  private:
    /// False when the port was taken meanwhile.
    bool start(const std::string& http);

    TemporaryDirectory directory_;
    std::uint16_t port_ = 0;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
