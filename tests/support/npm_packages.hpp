// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// The npm packages that a folder of tests/support names in package-lock.json, and the folder's
/// other files beside them, in the build tree.
class NpmPackages {
  public:
    /// Installs them unless they are there. Throws std::runtime_error if that fails for another
    /// reason than a missing tool or an unreachable registry.
    explicit NpmPackages(const std::string& folder);

    /// Why they cannot be installed; empty if they are.
    [[nodiscard]] const std::string& reason_to_skip() const { return reason_to_skip_; }
    /// The path of a file beside them.
    [[nodiscard]] std::string file(const std::string& name) const { return place_ + '/' + name; }

  private:
    std::string place_;
    std::string reason_to_skip_;
};

}  // namespace kheops::test
