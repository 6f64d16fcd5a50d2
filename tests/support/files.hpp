// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// Returns the whole content. Throws std::runtime_error if the file cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);

/// read_file() for a path relative to the source tree's root.
[[nodiscard]] std::string read_source(const std::string& path);

/// Creates the file or replaces its content. Throws std::runtime_error on failure.
void write_file(const std::string& path, const std::string& content);

}  // namespace kheops::test
