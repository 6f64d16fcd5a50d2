// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "descriptor.hpp"

namespace kheops::test {

/// A program to start, with its environment and standard streams.
struct Command {
    /// The program, searched on PATH if its name contains no slash, and its arguments.
    std::vector<std::string> arguments;
    /// The complete environment, by name: the child inherits no other variables.
    std::map<std::string, std::string> environment = {};
    /// Becomes descriptor 0; negative: /dev/null. The caller keeps ownership.
    int standard_input = -1;
    /// Files that descriptors 1 and 2 append to; empty: inherited from this process.
    std::string standard_output = {};
    std::string standard_error = {};
    /// If not negative, becomes descriptor 2 instead of that file. The caller keeps ownership.
    int error_descriptor = -1;
    /// The child calls it immediately before exec; it must not allocate memory.
    void (*before_start)() = nullptr;
};

/// This process's own environment, for a child that needs it whole.
[[nodiscard]] std::map<std::string, std::string> own_environment();

/// A child process. The destructor kills and reaps it if it still runs. The kernel sends it SIGTERM
/// when the thread that started it ends, so that no child outlives a killed test.
class ChildProcess {
  public:
    /// Returns when the child has been created. If exec fails, the child writes a line to its
    /// standard error and exits with 127. Throws std::system_error if the kernel creates no child.
    explicit ChildProcess(const Command& command);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Sends a signal; does nothing after wait() has reaped the child.
    void signal(int number) const;
    void terminate() const { signal(SIGTERM); }
    /// wait() still has to reap the child.
    void kill() const { signal(SIGKILL); }

    /// Whether the child still runs.
    [[nodiscard]] bool running() const { return !ends_within(std::chrono::milliseconds(0)); }
    /// Whether the child ends within `timeout`. Does not reap it.
    [[nodiscard]] bool ends_within(std::chrono::milliseconds timeout) const;

    /// Waits for the end and returns the exit status, or 128 plus the number of the signal that
    /// ended the child. Throws std::runtime_error after `timeout`. Can be called again.
    int wait(std::chrono::milliseconds timeout = std::chrono::seconds(60));

    /// Whether a signal ended the child with a core dump. Call it after wait().
    [[nodiscard]] bool dumped_core() const;

  private:
    std::string name_;
    pid_t pid_ = -1;
    Descriptor handle_;  // a pidfd, readable when the child has ended
    bool reaped_ = false;
    int status_ = 0;
};

}  // namespace kheops::test
