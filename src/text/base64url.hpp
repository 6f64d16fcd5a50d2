// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kheops {

/// Decodes base64url without padding (RFC 4648 section 5, RFC 7515 section 2). Returns std::nullopt
/// for padding, white space, a character outside the alphabet, an impossible length, or unused bits
/// that are not zero. So two different texts never decode to the same octets.
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace kheops
