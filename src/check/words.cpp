// SPDX-License-Identifier: MIT
#include "check/words.hpp"

#include <string_view>

namespace kheops {

std::string enumeration(const std::vector<std::string>& parts) {
    std::string list;
    for (const std::string& part : parts) {
        list += (list.empty() ? "" : ", ") + part;
    }
    return list;
}

std::string in_words(const DatabaseError& error) {
    constexpr unsigned char kSpace = 0x20;
    constexpr unsigned char kDelete = 0x7F;
    std::string line;
    for (const char c : std::string_view(error.what())) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '\n') {
            line += "; ";
        } else if (octet > kSpace && octet != kDelete) {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    if (!error.sqlstate().empty()) {
        line += " (SQLSTATE " + error.sqlstate() + ")";
    }
    return line;
}

std::string sql_identifier(const std::string& name) {
    constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyz0123456789_";
    constexpr const char* kDigits = "0123456789";
    if (!name.empty() && name.find_first_not_of(kPlain) == std::string::npos &&
        name.find_first_of(kDigits) != 0) {
        return name;
    }
    std::string quoted = "\"";
    for (const char c : name) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    }
    return quoted + "\"";
}

}  // namespace kheops
