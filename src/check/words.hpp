// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "database/error.hpp"

namespace kheops {

/// Returns the parts with ", " between them.
[[nodiscard]] std::string enumeration(const std::vector<std::string>& parts);

/// Returns the error's message and SQLSTATE on one line: each line feed becomes "; ", and other
/// control characters and spaces in a row one space.
[[nodiscard]] std::string in_words(const DatabaseError& error);

/// Returns the name as an SQL identifier, in quotation marks where it needs them.
[[nodiscard]] std::string sql_identifier(const std::string& name);

}  // namespace kheops
