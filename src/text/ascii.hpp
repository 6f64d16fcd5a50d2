// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

/// ASCII character functions that, unlike <cctype>, ignore the locale.
namespace kheops {

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

[[nodiscard]] constexpr bool is_alphanumeric(char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Returns a letter in lower case and any other character unchanged.
[[nodiscard]] constexpr char to_lower_case(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Returns `text` without these characters at its beginning and its end; points into `text`.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text,
                                                 std::string_view characters = " \t") {
    const std::size_t begin = text.find_first_not_of(characters);
    return begin == std::string_view::npos
               ? std::string_view()
               : text.substr(begin, text.find_last_not_of(characters) + 1 - begin);
}

}  // namespace kheops
