// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "token/jwk_set.hpp"

namespace kheops {

/// A longer token is refused unread.
constexpr std::size_t kLongestToken = std::size_t{16} * 1024;

/// The payload of a JWS in compact form (RFC 7515 section 7.1) whose signature one key of `keys`
/// verifies (contract section 5). Keys that the token brings or points to (`jwk`, `jku`, `x5c`,
/// `x5u`) are not looked at. Throws HttpError 401 when the token is malformed or not accepted.
[[nodiscard]] std::string verified_payload(std::string_view token, const KeySet& keys);

}  // namespace kheops
