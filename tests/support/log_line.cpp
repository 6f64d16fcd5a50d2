// SPDX-License-Identifier: MIT
#include "support/log_line.hpp"

#include <algorithm>
#include <stdexcept>

#include "text/json.hpp"

namespace kheops::test {

namespace {

/// The position behind the JSON string that begins at `begin`.
size_t end_of_string(const std::string& line, size_t begin) {
    size_t at = begin + 1;
    while (at < line.size() && line[at] != '"') {
        at += line[at] == '\\' ? 2 : 1;
    }
    return at + 1;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_log_line(const std::string& line) {
    constexpr size_t kMaxLine = 4095;
    const std::runtime_error malformed("malformed log line: " + line);
    if (line.empty() || line.size() > kMaxLine) {
        throw malformed;
    }
    std::vector<std::pair<std::string, std::string>> pairs;
    for (size_t at = 0; at < line.size();) {
        const size_t equals = line.find_first_of("= \"", at);
        if (equals == std::string::npos || equals == at || line[equals] != '=') {
            throw malformed;
        }
        const size_t begin = equals + 1;
        const bool quoted = begin < line.size() && line[begin] == '"';
        const size_t end =
            quoted ? end_of_string(line, begin) : std::min(line.find(' ', begin), line.size());
        if (end > line.size() || end == begin || (end < line.size() && line[end] != ' ')) {
            throw malformed;
        }
        std::string value = line.substr(begin, end - begin);
        if (quoted) {
            // json::parse() rejects U+0000.
            for (size_t nul = 0; (nul = value.find("\\u0000", nul)) != std::string::npos;) {
                value.replace(nul, 6, "\\u2400");
            }
            const auto text = json::parse(value);
            if (!text || !text->view().string()) {
                throw malformed;
            }
            value = *text->view().string();
        } else if (value.find('"') != std::string::npos) {
            throw malformed;
        }
        pairs.emplace_back(line.substr(at, equals - at), value);
        at = std::min(end + 1, line.size());
    }
    return pairs;
}

std::string log_line_value(const std::string& line, const std::string& key) {
    for (const auto& [name, value] : parse_log_line(line)) {
        if (name == key) {
            return value;
        }
    }
    throw std::runtime_error("no " + key + " in the log line: " + line);
}

std::vector<std::string> log_lines(const std::string& log) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < log.size();) {
        const size_t end = log.find('\n', at);
        if (end == std::string::npos) {
            throw std::runtime_error("the last log line has no newline: " + log.substr(at));
        }
        lines.push_back(log.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

}  // namespace kheops::test
