// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace kheops::test {

/// The pairs of one log line in their order, values as they were before they were quoted. Throws
/// std::runtime_error when the line (without its newline) is not of that form or is longer than
/// 4,095 octets.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_log_line(
    const std::string& line);

/// The value of the first pair of that key; throws std::runtime_error when there is none.
[[nodiscard]] std::string log_line_value(const std::string& line, const std::string& key);

/// The lines of a log. Throws std::runtime_error when the last one does not end.
[[nodiscard]] std::vector<std::string> log_lines(const std::string& log);

}  // namespace kheops::test
