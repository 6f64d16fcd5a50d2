// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// A directory of the test's own, only for this user, removed with all in it at the end. Its path
/// is short enough for the name of a Unix socket in it.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// The path of `name` in it.
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + '/' + name; }

  private:
    std::string path_;
};

}  // namespace kheops::test
