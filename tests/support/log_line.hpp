// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace kheops::test {

/// The pairs of one log line (without its newline), in order, with unquoted values. Throws
/// std::runtime_error if the line is malformed or longer than 4,095 octets.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_log_line(
    const std::string& line);

/// The value of the first pair with this key; throws std::runtime_error if there is none.
[[nodiscard]] std::string log_line_value(const std::string& line, const std::string& key);

/// The lines of a log. Throws std::runtime_error if the last line has no newline.
[[nodiscard]] std::vector<std::string> log_lines(const std::string& log);

}  // namespace kheops::test
