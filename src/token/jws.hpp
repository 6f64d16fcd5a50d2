// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "token/jwk_set.hpp"

namespace kheops {

/// The maximum size of a token, in octets; a longer one is rejected without parsing it.
constexpr std::size_t kMaxTokenSize = std::size_t{16} * 1024;

/// A decoded JWS in compact form (RFC 7515 section 7.1). Its content is not trustworthy until
/// is_verified() returns true.
struct Jws {
    Algorithm algorithm;
    std::optional<std::string> kid;
    std::string payload;
    std::string signature;
    std::string_view signed_text;  ///< points into the token
};

/// Parses a token. Ignores keys that the token contains or refers to (`jwk`, `jku`, `x5c`, `x5u`).
/// Throws HttpError 401 if the token is malformed or its algorithm is not supported. The result
/// points into `token`.
[[nodiscard]] Jws parse_jws(std::string_view token);

/// Returns whether exactly one key of `keys` matches the token's `kid` and algorithm, and this key
/// verifies the signature (contract section 5).
[[nodiscard]] bool is_verified(const Jws& jws, const KeySet& keys);

/// Returns why is_verified() is false, as the reason of an HttpError. Says nothing about the
/// payload, which anybody can have written.
[[nodiscard]] std::string why_unverified(const Jws& jws, const KeySet& keys);

/// Returns whether the token has a `kid` that none of `keys` has.
[[nodiscard]] bool names_unknown_key(const Jws& jws, const KeySet& keys);

}  // namespace kheops
