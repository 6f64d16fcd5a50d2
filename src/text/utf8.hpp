// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kheops {

/// Whether `octets` are well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above
/// U+10FFFF. U+0000 is well-formed.
[[nodiscard]] bool is_utf8(std::string_view octets);

/// A character and the length of its sequence in octets; length 0 if it is malformed.
struct Character {
    std::uint32_t code_point;
    std::size_t octets;
};

/// Returns the first character of `octets`, which must not be empty.
[[nodiscard]] Character first_character(std::string_view octets);

/// Returns the longest prefix of `text`, which is UTF-8, that has at most `max_octets` octets and
/// does not split a character.
[[nodiscard]] std::string_view beginning_of(std::string_view text, std::size_t max_octets);

}  // namespace kheops
