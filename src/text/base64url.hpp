// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kheops {

/// The octets that `text` encodes in base64url without padding (RFC 4648 section 5, RFC 7515
/// section 2). Nothing when it holds padding, white space or a character of another alphabet, or
/// when it is not what an encoder writes: an impossible length, or unused bits that are not zero.
/// So two different texts never decode to the same octets.
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace kheops
