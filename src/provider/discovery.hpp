// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "deadline.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// An OpenID Connect provider, and how far it is trusted.
struct Provider {
    std::string url;          ///< its base, without a slash at the end
    std::string issuer;       ///< the one that tokens must name; empty: the provider's own
    bool allow_http = false;  ///< also unprotected, to other machines
};

/// A provider's keys as they were published.
struct PublishedKeys {
    TrustedKeys trusted;
    std::string jwk_set;                           ///< the document itself
    std::optional<std::chrono::seconds> lifetime;  ///< how long it may be kept, where that was said
};

/// Whether `issuer` is what the tokens of that provider name: the configured one, or else the
/// provider's URL, with or without a slash at its end (OpenID Connect Discovery 1.0 section 4.3).
[[nodiscard]] bool is_issuer_of_tokens(const std::string& issuer, const Provider& provider);

/// The usable public keys of a JWK Set (RFC 7517 section 5) that a provider publishes. `oct` keys
/// are left out: what everybody can read proves nothing. Throws KeySetError when none is left.
[[nodiscard]] KeySet parse_published_keys(const std::string& jwk_set);

/// Fetches the discovery document (OpenID Connect Discovery 1.0 section 4) and the key set that it
/// points to. Throws DownloadError and KeySetError; both say why, for the log. `deadline` and
/// `stop` are those of download().
[[nodiscard]] PublishedKeys fetch_keys(const Provider& provider, Deadline deadline,
                                       const std::stop_token& stop);

}  // namespace kheops
