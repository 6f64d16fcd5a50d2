// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "token/jwk_set.hpp"

namespace kheops {

/// A longer token is refused unread.
constexpr std::size_t kMaxTokenSize = std::size_t{16} * 1024;

/// A JWS in compact form (RFC 7515 section 7.1), decoded. Nothing in it is to be believed before
/// is_verified says so.
struct Jws {
    Algorithm algorithm;
    std::optional<std::string> kid;
    std::string payload;
    std::string signature;
    std::string_view signed_text;  ///< points into the token
};

/// Reads a token. Keys that it brings or points to (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
/// Throws HttpError 401 when it is malformed or its algorithm is none that is verified here.
[[nodiscard]] Jws parse_jws(std::string_view token);

/// Whether the one key of `keys` that the token can mean verifies its signature (contract
/// section 5).
[[nodiscard]] bool is_verified(const Jws& jws, const KeySet& keys);

/// Whether the token names a key by a `kid` that none of `keys` has.
[[nodiscard]] bool names_unknown_key(const Jws& jws, const KeySet& keys);

}  // namespace kheops
