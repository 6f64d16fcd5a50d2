// SPDX-License-Identifier: MIT
#include "text/utf8.hpp"

namespace kheops {

namespace {

/// The properties of a sequence that its first octet determines.
struct Form {
    std::size_t octets;        // 0: not a valid first octet
    std::uint32_t first_bits;  // mask of the code point's bits in the first octet
    std::uint32_t min_value;   // a smaller code point has a shorter form
};

Form form_of(unsigned char first) {
    if (first < 0x80) {
        return {1, 0x7F, 0};
    }
    if (first >> 5 == 0b110) {
        return {2, 0x1F, 0x80};
    }
    if (first >> 4 == 0b1110) {
        return {3, 0x0F, 0x800};
    }
    if (first >> 3 == 0b11110) {
        return {4, 0x07, 0x10000};
    }
    return {0, 0, 0};
}

}  // namespace

Character first_character(std::string_view octets) {
    const auto first = static_cast<unsigned char>(octets.front());
    const Form form = form_of(first);
    if (octets.size() < form.octets) {
        return {0, 0};
    }
    std::uint32_t code_point = first & form.first_bits;
    for (const char c : octets.substr(1, form.octets > 0 ? form.octets - 1 : 0)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >> 6 != 0b10) {
            return {0, 0};
        }
        code_point = code_point << 6 | (octet & 0x3F);
    }
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    const bool is_valid = code_point >= form.min_value && code_point <= 0x10FFFF && !is_surrogate;
    return {code_point, is_valid ? form.octets : 0};
}

bool is_utf8(std::string_view octets) {
    while (!octets.empty()) {
        const std::size_t length = first_character(octets).octets;
        if (length == 0) {
            return false;
        }
        octets.remove_prefix(length);
    }
    return true;
}

std::string_view beginning_of(std::string_view text, std::size_t max_octets) {
    if (text.size() <= max_octets) {
        return text;
    }
    while (max_octets > 0 && (static_cast<unsigned char>(text[max_octets]) & 0xC0U) == 0x80U) {
        --max_octets;
    }
    return text.substr(0, max_octets);
}

}  // namespace kheops
