// SPDX-License-Identifier: MIT
#include "http/conditional.hpp"

#include <algorithm>
#include <optional>

#include "text/ascii.hpp"

namespace kheops {

namespace {

/// A character of an opaque tag (`etagc`): visible or not ASCII, and no quote.
bool is_tag_character(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet > 0x20 && octet != '"' && octet != 0x7F;
}

/// Removes the first entity tag from `list` and returns it with its quotes, but without `W/`.
std::optional<std::string_view> take_opaque_tag(std::string_view& list) {
    if (list.starts_with("W/")) {
        list.remove_prefix(2);
    }
    if (!list.starts_with('"')) {
        return std::nullopt;
    }
    const auto* const end = std::find_if_not(list.begin() + 1, list.end(), is_tag_character);
    if (end == list.end() || *end != '"') {
        return std::nullopt;
    }
    const std::string_view tag = list.substr(0, static_cast<size_t>(end - list.begin()) + 1);
    list.remove_prefix(tag.size());
    return tag;
}

}  // namespace

std::string entity_tag(std::string_view digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    constexpr size_t kOctets = 16;
    std::string tag = "\"";
    for (const char c : digest.substr(0, kOctets)) {
        const auto octet = static_cast<unsigned char>(c);
        tag += kDigits[octet >> 4U];
        tag += kDigits[octet & 0xFU];
    }
    return tag + '"';
}

bool matches(std::string_view if_none_match, std::string_view tag) {
    std::string_view list = trimmed(if_none_match);
    if (list == "*") {
        return true;
    }
    bool found = false;
    while (!list.empty()) {
        if (!list.starts_with(',')) {  // empty list elements are allowed (section 5.6.1.2)
            const std::optional<std::string_view> listed = take_opaque_tag(list);
            found = found || listed == tag;
            list = trimmed(list);
            if (!listed || !(list.empty() || list.starts_with(','))) {
                return false;
            }
        }
        list = trimmed(list.substr(std::min<size_t>(1, list.size())));
    }
    return found;
}

}  // namespace kheops
