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

/// What to start, and with what.
struct Command {
    /// The program, looked up on PATH when it holds no slash, and its arguments.
    std::vector<std::string> arguments;
    /// The whole environment, by name: nothing of this process's own is added.
    std::map<std::string, std::string> environment = {};
    /// Becomes descriptor 0; below 0: /dev/null. Stays the caller's.
    int standard_input = -1;
    /// Descriptors 1 and 2: files to append to; empty: this process's own.
    std::string standard_output = {};
    std::string standard_error = {};
    /// Becomes descriptor 2 instead of that file; below 0: it does not. Stays the caller's.
    int error_descriptor = -1;
    /// Called in the child as the last before the program starts; it may not allocate.
    void (*before_start)() = nullptr;
};

/// A child process. It is killed and reaped with this object if it still runs, and sent SIGTERM
/// when the thread that started it ends, so that a test that is killed leaves nothing behind.
class ChildProcess {
  public:
    /// Returns as soon as the child is there; a program that cannot be started exits with 127 and a
    /// line on its standard error. Throws std::system_error when the kernel refuses.
    explicit ChildProcess(const Command& command);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Sends a signal; nothing happens when the child has been waited for.
    void signal(int number) const;
    /// Asks the child to end.
    void terminate() const { signal(SIGTERM); }
    /// Ends the child; wait() still has to reap it.
    void kill() const { signal(SIGKILL); }

    /// Whether the child has not ended yet.
    [[nodiscard]] bool running() const { return !ends_within(std::chrono::milliseconds(0)); }
    /// Whether the child ends within that time. It can still be waited for.
    [[nodiscard]] bool ends_within(std::chrono::milliseconds time) const;

    /// Waits for the end: the exit status, or 128 plus the number of the signal that ended the
    /// child. Throws std::runtime_error when it still runs after `limit`. May be asked again.
    int wait(std::chrono::milliseconds limit = std::chrono::seconds(60));

    /// Whether a signal has ended the child with a core dump. After wait().
    [[nodiscard]] bool dumped_core() const;

  private:
    std::string name_;
    pid_t pid_ = -1;
    Descriptor handle_;  // of the process, readable at its end
    bool reaped_ = false;
    int status_ = 0;
};

}  // namespace kheops::test
