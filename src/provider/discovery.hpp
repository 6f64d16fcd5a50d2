// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "deadline.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// An OpenID Connect provider, as the settings describe it.
struct Provider {
    std::string url;          ///< base URL, without a slash at the end
    std::string issuer;       ///< required `iss` of tokens; empty: the provider's issuer
    bool allow_http = false;  ///< allows http, without TLS, to other machines
};

/// The keys that a provider published, and the document that they were read from.
struct PublishedKeys {
    TrustedKeys trusted;
    std::string named_issuer;                      ///< the issuer in the discovery document
    std::string jwk_set;                           ///< the text of the document
    std::optional<std::chrono::seconds> lifetime;  ///< how long it may be cached; null: not stated
    /// By how much this machine's clock is ahead of the provider's; null: not stated.
    std::optional<std::chrono::seconds> clock_lead;
};

/// Returns whether `issuer` is the issuer of this provider's tokens: the configured issuer or, if
/// none is configured, the provider's URL with or without a slash at its end (OpenID Connect
/// Discovery 1.0 section 4.3).
[[nodiscard]] bool is_issuer_of_tokens(const std::string& issuer, const Provider& provider);

/// Returns the usable public keys of a JWK Set (RFC 7517 section 5) that a provider published.
/// Skips `oct` keys: a secret that everybody can read proves nothing. Throws KeySetError if no
/// usable key is left.
[[nodiscard]] KeySet parse_published_keys(const std::string& jwk_set);

/// Fetches the discovery document (OpenID Connect Discovery 1.0 section 4) and the key set that it
/// names. Passes `deadline` and `stop` to download(). Throws DownloadError or KeySetError, whose
/// what() is a reason for the log.
[[nodiscard]] PublishedKeys fetch_keys(const Provider& provider, Deadline deadline,
                                       const std::stop_token& stop);

}  // namespace kheops
