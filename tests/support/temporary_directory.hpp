// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// A new directory that only this user can enter. The destructor removes it with its content. Its
/// path is short enough for Unix sockets in it.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// The path of `name` in this directory.
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + '/' + name; }

  private:
    std::string path_;
};

}  // namespace kheops::test
