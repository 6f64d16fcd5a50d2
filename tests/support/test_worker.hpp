// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>

#include "server/descriptor.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// Environment variables by name.
using Settings = std::map<std::string, std::string>;

/// The real program as a FastCGI worker on a Unix socket in a directory of its own. It trusts the
/// tests' key and issuer (mint_token). Ended when this is destroyed.
class TestWorker {
  public:
    /// `settings` win over the key file and the issuer.
    explicit TestWorker(const Settings& settings);

    [[nodiscard]] std::string socket_path() const { return directory_.file("worker.sock"); }

    void signal(int number) const { process_->signal(number); }
    /// Waits for the program's end: its exit status, or 128 plus the signal that ended it.
    [[nodiscard]] int exit_status() { return process_->wait(); }
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    [[nodiscard]] bool is_running() const { return process_->running(); }

    /// Stops the program and starts it again as systemd does: by SIGTERM, waiting for its end, on
    /// the same listening socket, to which anyone may connect meanwhile. Its exit status.
    int restart();

    /// All that it has logged, restarts included.
    [[nodiscard]] std::string log() const;
    /// Waits until the log holds `text`; throws with the log when it never does.
    void await_log(const std::string& text) const;

    /// Makes the listening socket useless, as its loss would.
    void lose_listener() const;

  private:
    TemporaryDirectory directory_;
    Descriptor listener_;
    Command command_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
