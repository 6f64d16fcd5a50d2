// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

/// Conditional requests (RFC 9110 section 13).
namespace kheops {

/// Returns a strong entity tag, with its quotes, for a body with this digest of at least 16 octets.
/// 128 bits of a cryptographic digest are enough: nobody can find two lists with the same tag, by
/// which one list could hide the other.
[[nodiscard]] std::string entity_tag(std::string_view digest);

/// Returns whether the header If-None-Match contains `tag`, or is `*`. The comparison is the weak
/// one (RFC 9110 section 13.1.2): a web server that compresses the answer weakens its tag. A
/// malformed header matches nothing, like an empty one.
[[nodiscard]] bool matches(std::string_view if_none_match, std::string_view tag);

}  // namespace kheops
