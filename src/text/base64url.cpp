// SPDX-License-Identifier: MIT
#include "text/base64url.hpp"

#include <array>
#include <cstdint>
#include <utility>

namespace kheops {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNoDigit = 0xFF;

/// The value of each character: six bits, or kNoDigit.
constexpr std::array<std::uint8_t, 256> kDigits = [] {
    std::array<std::uint8_t, 256> digits{};
    digits.fill(kNoDigit);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return digits;
}();

}  // namespace

std::optional<std::string> decode_base64url(std::string_view text) {
    if (text.size() % 4 == 1) {
        return std::nullopt;
    }
    std::string octets;
    octets.reserve(text.size() * 3 / 4);
    std::uint32_t held = 0;  // its lowest `held_bits` bits are not written yet
    unsigned held_bits = 0;
    for (const char c : text) {
        const std::uint8_t digit = kDigits[static_cast<unsigned char>(c)];
        if (digit == kNoDigit) {
            return std::nullopt;
        }
        held = held << 6 | digit;
        held_bits += 6;
        if (held_bits >= 8) {
            held_bits -= 8;
            octets += static_cast<char>(held >> held_bits);
            held &= (1U << held_bits) - 1;
        }
    }
    return held == 0 ? std::optional(std::move(octets)) : std::nullopt;
}

}  // namespace kheops
