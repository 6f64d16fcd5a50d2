// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "descriptor.hpp"
#include "support/files.hpp"
#include "support/temporary_directory.hpp"

namespace kheops::test {

/// Redirects this process's standard error to a descriptor while this object exists. SIGALRM ends
/// the process after 60 s, in case a write blocks.
class StandardError {
  public:
    /// The caller keeps ownership of `descriptor`.
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

/// Redirects this process's standard error to a file while this object exists. Create it before the
/// Log that a test reads: a Log keeps the standard error that it found when created.
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
