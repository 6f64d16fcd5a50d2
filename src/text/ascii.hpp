// SPDX-License-Identifier: MIT
#pragma once

/// Characters of ASCII, whatever the locale is: those of <cctype> ask it.
namespace kheops {

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

[[nodiscard]] constexpr bool is_alphanumeric(char c) {
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// The lower-case letter of an upper-case one; any other character as it is.
[[nodiscard]] constexpr char to_lower_case(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace kheops
