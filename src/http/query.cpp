// SPDX-License-Identifier: MIT
#include "http/query.hpp"

#include <algorithm>
#include <charconv>

namespace kheops {

namespace {

std::optional<char> decode_octet(std::string_view digits) {
    unsigned octet = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, octet, 16);
    if (digits.size() != 2 || error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return static_cast<char>(octet);
}

std::string decode_form(std::string_view encoded) {
    std::string decoded;
    decoded.reserve(encoded.size());
    for (size_t i = 0; i < encoded.size(); ++i) {
        const char c = encoded[i];
        if (c == '+') {
            decoded += ' ';
        } else if (const auto octet =
                       c == '%' ? decode_octet(encoded.substr(i + 1, 2)) : std::nullopt) {
            decoded += *octet;
            i += 2;
        } else {
            decoded += c;
        }
    }
    return decoded;
}

/// Removes the first parameter from a query and returns it; it is empty between `&` and `&`.
std::string_view take_parameter(std::string_view& query) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    return parameter;
}

bool is_named(std::string_view parameter, std::string_view name) {
    return !parameter.empty() && decode_form(parameter.substr(0, parameter.find('='))) == name;
}

}  // namespace

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::string_view parameter = take_parameter(query);
        if (is_named(parameter, name)) {
            const size_t equals = std::min(parameter.find('='), parameter.size());
            return decode_form(parameter.substr(std::min(equals + 1, parameter.size())));
        }
    }
    return std::nullopt;
}

std::string query_without(std::string_view query, std::string_view name) {
    std::string rest;
    while (!query.empty()) {
        const std::string_view parameter = take_parameter(query);
        if (!parameter.empty() && !is_named(parameter, name)) {
            rest += rest.empty() ? "" : "&";
            rest += parameter;
        }
    }
    return rest;
}

}  // namespace kheops
