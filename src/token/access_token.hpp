// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "deadline.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// The required claims of a token (contract section 5), in addition to the issuer of the keys.
struct TokenRules {
    std::string audience;  ///< empty: not checked
    std::string scope;     ///< one word; empty: not checked
};

/// By how much the issuer's clock and this machine's may differ.
constexpr std::chrono::seconds kMaxClockSkew(60);

/// The user that a token identifies.
struct Identity {
    std::string subject;  ///< UTF-8, 1 to 255 characters, none of them U+0000
    /// Who acts for the user (`act`, RFC 8693 section 4.1), in the form of `subject`. Empty:
    /// nobody.
    std::string acting_party;
};

/// Returns the token in the value of an Authorization header (RFC 6750 section 2.1). The result
/// points into `authorization`. Throws HttpError 401 (gate 4 of contract section 3) if the header
/// is absent, which is the same as empty, or does not contain exactly one bearer token.
[[nodiscard]] std::string_view bearer_token(std::string_view authorization);

/// Verifies bearer tokens. Safe to use from several threads.
class TokenVerifier {
  public:
    /// `keys` must outlive this object.
    TokenVerifier(KeySource& keys, TokenRules rules) : keys_(keys), rules_(std::move(rules)) {}

    /// Returns the user that a token (RFC 7519) identifies. `now` is the time for `exp`, `nbf` and
    /// `iat`. Verifies the signature before it reads a claim. If the token names an unknown key,
    /// waits for newer keys until `deadline` at the latest. Throws HttpError 401 (gate 5 of
    /// contract section 3) if the token is not valid, and KeysUnavailable if no keys are available
    /// to verify it.
    [[nodiscard]] Identity verify(std::string_view token, std::chrono::system_clock::time_point now,
                                  Deadline deadline) const;

  private:
    KeySource& keys_;
    TokenRules rules_;
};

}  // namespace kheops
