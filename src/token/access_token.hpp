// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "deadline.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// What the claims of a token must say (contract section 5), beside the issuer of the keys.
struct TokenRules {
    std::string audience;  ///< empty: not checked
    std::string scope;     ///< one word; empty: not checked
};

/// Who is calling.
struct Identity {
    std::string subject;  ///< UTF-8, 1 to 255 characters, none of them U+0000
};

/// The token in the value of an Authorization header (RFC 6750 section 2.1); points into it. Throws
/// HttpError 401 (gate 4 of contract section 3) when the header is absent, that is empty, or any
/// other than one bearer token.
[[nodiscard]] std::string_view bearer_token(std::string_view authorization);

/// Turns bearer tokens into identities. Safe to use from several threads.
class TokenVerifier {
  public:
    /// `keys` outlives this.
    TokenVerifier(KeySource& keys, TokenRules rules) : keys_(keys), rules_(std::move(rules)) {}

    /// The caller that a token (RFC 7519) names, at the time `now`. The signature is checked before
    /// any claim is read. A token that names an unknown key may wait for newer ones until
    /// `deadline`. Throws HttpError 401 (gate 5 of contract section 3) when it does not verify, and
    /// KeysUnavailable when it cannot be judged.
    [[nodiscard]] Identity verify(std::string_view token, std::chrono::system_clock::time_point now,
                                  Deadline deadline) const;

  private:
    KeySource& keys_;
    TokenRules rules_;
};

}  // namespace kheops
