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

}  // namespace

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));

        const size_t equals = std::min(pair.find('='), pair.size());
        if (!pair.empty() && decode_form(pair.substr(0, equals)) == name) {
            return decode_form(pair.substr(std::min(equals + 1, pair.size())));
        }
    }
    return std::nullopt;
}

}  // namespace kheops
