// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace kheops::test {

/// The whole content; throws std::runtime_error when the file cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);

/// Creates the file or replaces what is in it; throws std::runtime_error when that fails.
void write_file(const std::string& path, const std::string& content);

}  // namespace kheops::test
