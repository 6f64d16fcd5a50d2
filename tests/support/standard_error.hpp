// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include "descriptor.hpp"

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

}  // namespace kheops::test
