// SPDX-License-Identifier: MIT
#pragma once

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

}  // namespace kheops
