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

/// `short_times` is a build with shorter intervals and timeouts for a provider's keys
/// (tests/support/short_key_times.cpp). If STOP_AT_START is set, it gets SIGTERM while it starts
/// (tests/support/stop_at_start.cpp).
enum class WorkerBuild { standard, short_times };

/// The path of the program.
[[nodiscard]] std::string worker_program(WorkerBuild build);

/// The environment of a worker: `settings`, the options of sanitizers and, if `settings` has no
/// provider, `key_file` and the issuer of the tests' tokens.
[[nodiscard]] Settings worker_environment(const Settings& settings, const std::string& key_file);

/// The real program as a FastCGI worker on a Unix socket in a directory of its own. It trusts the
/// tests' key and issuer (mint_token), or a provider. Ended when this is destroyed, which expects
/// that docs/log-events.md has all that it logged.
class TestWorker {
  public:
    /// `settings` win over the key file and the issuer.
    explicit TestWorker(const Settings& settings, WorkerBuild build = WorkerBuild::standard);
    ~TestWorker();
    TestWorker(const TestWorker&) = delete;
    TestWorker& operator=(const TestWorker&) = delete;

    [[nodiscard]] std::string socket_path() const { return directory_.file("worker.sock"); }

    void signal(int number) const { process_->signal(number); }
    /// As ChildProcess::wait().
    [[nodiscard]] int exit_status() { return process_->wait(); }
    /// As ChildProcess::dumped_core().
    [[nodiscard]] bool dumped_core() const { return process_->dumped_core(); }
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    [[nodiscard]] bool is_running() const { return process_->running(); }

    /// Restarts the program as systemd does: sends SIGTERM, waits for the end and starts it again.
    /// Clients can connect meanwhile, since the listening socket stays. Returns the exit status.
    int restart();

    /// The whole log, across restarts.
    [[nodiscard]] std::string log() const;
    /// Waits until the log contains `text`; after 60 s, throws an exception that shows the log.
    void await_log(const std::string& text) const;

    /// Shuts the listening socket down, so that the worker loses it.
    void shut_down_listener() const;
    /// Clears O_NONBLOCK, which belongs to the open file description that this process and the
    /// worker share.
    void make_listener_block() const;
    [[nodiscard]] bool listener_blocks() const;

  private:
    TemporaryDirectory directory_;
    Descriptor listener_;
    Command command_;
    std::unique_ptr<ChildProcess> process_;
};

}  // namespace kheops::test
