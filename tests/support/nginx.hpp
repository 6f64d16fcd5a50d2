// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// A text in a configuration file and its replacement.
struct Substitution {
    std::string from;
    std::string to;
};

/// The content of a file of nginx/ with these replacements. Throws std::runtime_error unless the
/// file contains each `from` exactly once, so that a test notices a changed file.
[[nodiscard]] std::string nginx_file(const std::string& name,
                                     const std::vector<Substitution>& substitutions);

/// A real nginx for one test, with its own directory and one worker process.
/// nginx/kheops-errors.conf is where the other files of nginx/ include it.
class TestNginx {
  public:
    /// `http` is the content of the http block; free ports of 127.0.0.1 replace `@PORT@` and
    /// `@OPERATOR_PORT@` in it. Returns when nginx listens. If nginx rejects the configuration,
    /// throws std::runtime_error with nginx's message.
    explicit TestNginx(const std::string& http);
    /// Stops nginx immediately; it does not finish its requests.
    ~TestNginx();
    TestNginx(const TestNginx&) = delete;
    TestNginx& operator=(const TestNginx&) = delete;

    /// Of the master process; the worker process is its child.
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::uint16_t operator_port() const { return operator_port_; }
    /// The URL of a path, which begins with a slash.
    [[nodiscard]] std::string url(const std::string& path) const;
    /// What nginx has logged since its start, from level `info` up.
    [[nodiscard]] std::string error_log() const;

  private:
    /// False if another program has taken the port.
    bool start(const std::string& http);

    TemporaryDirectory directory_;
    std::uint16_t port_ = 0;
    std::uint16_t operator_port_ = 0;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
