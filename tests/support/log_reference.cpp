// SPDX-License-Identifier: MIT
#include "support/log_reference.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "support/files.hpp"
#include "support/log_line.hpp"

namespace kheops::test {

namespace {

struct LogReference {
    std::set<std::string> request_pairs;
    std::map<std::string, std::string> levels;           ///< by event
    std::map<std::string, std::set<std::string>> pairs;  ///< by event
};

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

/// The texts between backquotes.
std::set<std::string> quoted_in(const std::string& cell) {
    const std::vector<std::string> parts = split(cell, '`');
    std::set<std::string> quoted;
    for (size_t i = 1; i < parts.size(); i += 2) {
        quoted.insert(parts[i]);
    }
    return quoted;
}

LogReference read_reference() {
    LogReference reference;
    std::string heading;
    for (const std::string& line :
         split(read_file(KHEOPS_SOURCE_DIR "/docs/log-events.md"), '\n')) {
        if (line.starts_with("## ")) {
            heading = line;
        } else if (line.starts_with("| `")) {
            const std::vector<std::string> cells = split(line, '|');
            const std::string name = *quoted_in(cells.at(1)).begin();
            if (heading == "## Pairs of a request line") {
                reference.request_pairs.insert(name);
            } else if (heading == "## Events") {
                reference.levels[name] = cells.at(2).substr(1, cells.at(2).size() - 2);
                reference.pairs[name] = quoted_in(cells.at(3));
            }
        }
    }
    return reference;
}

/// What the reference does not have of the line; empty when it has all of it.
std::string undocumented_in(const std::string& line) {
    static const LogReference reference = read_reference();
    auto pairs = parse_log_line(line);
    const std::set<std::string>* allowed = &reference.request_pairs;
    if (pairs[0].first == "event") {
        const std::string event = pairs[0].second;
        const auto level = reference.levels.find(event);
        if (level == reference.levels.end()) {
            return "the event";
        }
        if (pairs.size() < 2 || pairs[1] != std::pair(std::string("level"), level->second)) {
            return "the level";
        }
        allowed = &reference.pairs.at(event);
        pairs.erase(pairs.begin(), pairs.begin() + 2);
    }
    for (const auto& [key, value] : pairs) {
        if (!allowed->contains(key)) {
            return "the pair " + key;
        }
    }
    return "";
}

}  // namespace

void expect_documented(const std::string& log) {
    // A process that was killed may have written a part of its last line.
    for (const std::string& line : log_lines(log.substr(0, log.rfind('\n') + 1))) {
        if (line.starts_with("kheops-webhooks: ")) {
            continue;
        }
        std::string problem;
        try {
            problem = undocumented_in(line);
        } catch (const std::runtime_error&) {
            problem = "the form";
        }
        if (!problem.empty()) {
            ADD_FAILURE() << "docs/log-events.md does not have " << problem << " of: " << line;
            return;
        }
    }
}

}  // namespace kheops::test
