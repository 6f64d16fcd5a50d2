// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>

#include "descriptor.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// Environment variables by name.
using Settings = std::map<std::string, std::string>;

/// Which build of the program: the one for operators, or the one that differs from it only in that
/// it asks a provider more often and for shorter (tests/support/short_key_times.cpp) and, where
/// STOP_AT_START is set, gets SIGTERM while it starts (tests/support/stop_at_start.cpp).
enum class WorkerBuild { standard, short_times };

/// Where that program is.
[[nodiscard]] std::string worker_program(WorkerBuild build);

/// The environment of a worker: `settings` and, where those name no provider, the key file
/// `key_file` and the issuer of the tests' own tokens; what sanitizers are to do.
[[nodiscard]] Settings worker_environment(const Settings& settings, const std::string& key_file);

/// The real program as a FastCGI worker on a Unix socket in a directory of its own. It trusts the
/// tests' key and issuer (mint_token), or a provider. Ended when this is destroyed, which expects
/// that docs/log-events.md has all that it logged.
class TestWorker {
  public:
    /// `settings` win over the key file and the issuer.
    explicit TestWorker(const Settings& settings, Patience patience = Patience::usual);
    ~TestWorker();
    TestWorker(const TestWorker&) = delete;
    TestWorker& operator=(const TestWorker&) = delete;

    [[nodiscard]] std::string socket_path() const { return directory_.file("worker.sock"); }

    void signal(int number) const { process_->signal(number); }
    /// Waits for the program's end: its exit status, or 128 plus the signal that ended it.
    [[nodiscard]] int exit_status() { return process_->wait(); }
    /// Whether that was with a core dump.
    [[nodiscard]] bool dumped_core() const { return process_->dumped_core(); }
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
    void shut_down_listener() const;

  private:
    TemporaryDirectory directory_;
    Descriptor listener_;
    Command command_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
