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

/// A key of a key set, with its name and the restriction that the set gives it.
struct Key {
    VerificationKey key;
    std::optional<std::string> kid;
    std::optional<Algorithm> only;  ///< its `alg`; null: any algorithm that the key fits

    [[nodiscard]] bool fits(Algorithm algorithm) const;
    /// The algorithms that the key fits; not empty.
    [[nodiscard]] std::vector<Algorithm> algorithms() const;
};

/// The unusable keys of a set: their number, and the reasons for the first five.
class SkippedKeys {
  public:
    void add(std::string reason);

    [[nodiscard]] std::size_t count() const { return count_; }
    /// One line for each of the first five keys: its `kid` or position, and why. No key material.
    [[nodiscard]] const std::vector<std::string>& reasons() const { return reasons_; }

  private:
    std::vector<std::string> reasons_;
    std::size_t count_ = 0;
};

struct KeySet {
    std::vector<Key> keys;  ///< in the order of the text, without repetitions; not empty
    SkippedKeys skipped;
};

/// How the reason of a skipped key ends if its `use` is another one. This is no fault: providers
/// publish the keys for encryption in the same set.
inline constexpr const char* kNotForSignatures = "its use is not sig";

/// The maximum number of keys in a set, repetitions included; further keys are skipped. Checking a
/// key of the slowest curve takes 0.7 ms, and each request searches the whole set.
constexpr std::size_t kMaxKeys = 1000;

/// A text contains no usable key. what() is one line for the operator, without key material.
class KeySetError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Parses a JWK Set or a single JWK (RFC 7517), or a PEM text with public keys and certificates.
/// Ignores the private members of a JWK; a private key in a PEM text is an error. Skips keys that
/// cannot be used (contract section 5). A key that stands twice, member for member the same, is one
/// key. Throws KeySetError if no usable key is left.
[[nodiscard]] KeySet parse_key_set(std::string_view text);

}  // namespace kheops
