// SPDX-License-Identifier: MIT
#include "token/jws.hpp"

#include <algorithm>
#include <utility>

#include "text/base64url.hpp"
#include "text/json.hpp"
#include "token/invalid_token.hpp"

namespace kheops {

namespace {

/// The parts of a compact JWS, still encoded. They point into the token.
struct Parts {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signed_text;  // header, dot, payload
};

struct JoseHeader {
    std::string algorithm;
    std::optional<std::string> kid;
};

Parts split(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    if (first == last) {  // one dot, or none
        throw malformed_token();
    }
    // Any other dot is part of the payload, and decode() rejects it there.
    return {token.substr(0, first), token.substr(first + 1, last - first - 1),
            token.substr(last + 1), token.substr(0, last)};
}

std::string decode(std::string_view part) {
    std::optional<std::string> octets = decode_base64url(part);
    if (!octets) {
        throw malformed_token();
    }
    return *std::move(octets);
}

/// Parses the header members that we use (RFC 7515 section 4.1).
JoseHeader parse_header(const std::string& text) {
    const std::optional<json::Value> header = json::parse(text);
    if (!header || !header->view().is_object()) {
        throw malformed_token();
    }
    const json::View view = header->view();
    if (view.member("crit") || view.member("b64")) {  // extensions; we support none
        throw malformed_token();
    }
    const std::optional<json::View> algorithm = view.member("alg");
    const std::optional<json::View> kid = view.member("kid");
    if (!algorithm || !algorithm->string() || (kid && !kid->string())) {
        throw malformed_token();
    }
    return {*algorithm->string(), kid ? kid->string() : std::nullopt};
}

bool is_candidate(const Key& key, const std::optional<std::string>& kid) {
    return !kid || !key.kid || *key.kid == *kid;
}

/// Returns the only candidate that fits the algorithm. Null if no key or more than one key fits:
/// then the token does not say which key it means, and trying all of them would accept a signature
/// by any key.
const VerificationKey* find_key(const KeySet& keys, Algorithm algorithm,
                                const std::optional<std::string>& kid) {
    const VerificationKey* found = nullptr;
    for (const Key& key : keys.keys) {
        if (!is_candidate(key, kid) || !key.fits(algorithm)) {
            continue;
        }
        if (found != nullptr) {
            return nullptr;
        }
        found = &key.key;
    }
    return found;
}

}  // namespace

Jws parse_jws(std::string_view token) {
    if (token.size() > kMaxTokenSize) {
        throw malformed_token();
    }
    const Parts parts = split(token);
    JoseHeader header = parse_header(decode(parts.header));
    std::string payload = decode(parts.payload);
    std::string signature = decode(parts.signature);

    const std::optional<Algorithm> algorithm = algorithm_named(header.algorithm);
    if (!algorithm) {
        throw unaccepted_token();
    }
    return {*algorithm, std::move(header.kid), std::move(payload), std::move(signature),
            parts.signed_text};
}

bool is_verified(const Jws& jws, const KeySet& keys) {
    const VerificationKey* key = find_key(keys, jws.algorithm, jws.kid);
    return key != nullptr && key->verify(jws.algorithm, jws.signed_text, jws.signature);
}

bool names_unknown_key(const Jws& jws, const KeySet& keys) {
    return jws.kid && std::none_of(keys.keys.begin(), keys.keys.end(),
                                   [&jws](const Key& key) { return key.kid == jws.kid; });
}

}  // namespace kheops
