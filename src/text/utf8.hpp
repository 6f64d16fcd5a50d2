// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kheops {

/// Whether `octets` are well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above
/// U+10FFFF. U+0000 is well-formed.
[[nodiscard]] bool is_utf8(std::string_view octets);

/// A character and the number of octets of its sequence; 0 where the sequence is not well-formed.
struct Character {
    std::uint32_t code_point;
    std::size_t octets;
};

/// The character that `octets`, not empty, begin with.
[[nodiscard]] Character first_character(std::string_view octets);

/// The longest beginning of `text`, which is UTF-8, that has at most `max_octets` octets and ends
/// with a whole character.
[[nodiscard]] std::string_view beginning_of(std::string_view text, std::size_t max_octets);

}  // namespace kheops
