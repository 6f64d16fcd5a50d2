// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "token/signature.hpp"

namespace kheops {

/// A key of a set, and what the set says of it.
struct Key {
    VerificationKey key;
    std::optional<std::string> kid;
    std::optional<Algorithm> only;  ///< its `alg`: no other will do

    [[nodiscard]] bool fits(Algorithm algorithm) const;
};

struct KeySet {
    std::vector<Key> keys;  ///< in the order of the text; not empty
    /// One line for each key that cannot serve: its `kid` or position, and the reason. No key
    /// material.
    std::vector<std::string> left_out;
};

/// A text without a usable key. what() is one line for the operator, without key material.
class KeySetError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Reads a JWK Set or a single JWK (RFC 7517), or a PEM text of public keys and certificates.
/// Members of private keys in a JWK are ignored; a private key in a PEM text is an error. A key
/// that cannot serve is left out (contract section 5). Throws KeySetError when none can.
[[nodiscard]] KeySet parse_key_set(std::string_view text);

}  // namespace kheops
