// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "descriptor.hpp"
#include "support/files.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// Makes a descriptor this process's standard error for as long as this lives. A write that waits
/// all the same ends the program after a minute.
class StandardError {
  public:
    /// `descriptor` stays the caller's.
    explicit StandardError(int descriptor) : before_(::dup(STDERR_FILENO)) {
        ::dup2(descriptor, STDERR_FILENO);
        ::alarm(60);
    }
    ~StandardError() {
        ::alarm(0);
        ::dup2(before_.number(), STDERR_FILENO);
    }
    StandardError(const StandardError&) = delete;
    StandardError& operator=(const StandardError&) = delete;

  private:
    Descriptor before_;
};

/// Sends this process's standard error to a file for as long as this lives. To be made before the
/// Log whose lines are wanted: a Log opens what is standard error then for itself.
class StandardErrorFile {
  public:
    [[nodiscard]] std::string text() const { return read_file(path()); }

  private:
    [[nodiscard]] std::string path() const { return directory_.file("stderr"); }

    TemporaryDirectory directory_;
    Descriptor file_{::open(path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    StandardError redirected_{file_.number()};
};

}  // namespace kheops::test
