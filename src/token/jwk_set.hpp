// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
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

/// The keys of a set that cannot serve. However many there are, a few reasons are kept.
class SkippedKeys {
  public:
    void add(std::string reason);

    [[nodiscard]] std::size_t count() const { return count_; }
    /// Of the first few, one line each: the key's `kid` or position, and why. No key material.
    [[nodiscard]] const std::vector<std::string>& reasons() const { return reasons_; }

  private:
    std::vector<std::string> reasons_;
    std::size_t count_ = 0;
};

struct KeySet {
    std::vector<Key> keys;  ///< in the order of the text; not empty
    SkippedKeys skipped;
};

/// A set has at most so many keys; further ones are left out. Checking the points of the slowest
/// curve takes 0.7 ms a key, and each request looks through the whole set.
constexpr std::size_t kMaxKeys = 1000;

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
