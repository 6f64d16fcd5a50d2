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

HttpError wrong_number_of_parts(std::ptrdiff_t dots) {
    return malformed_token("the token's number of dots is " + std::to_string(dots) +
                           ", expected 2: header, payload and signature");
}

Parts split(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    if (first == last) {  // one dot, or none
        throw wrong_number_of_parts(first == std::string_view::npos ? 0 : 1);
    }
    // Any other dot is part of the payload, and decode() rejects it there.
    return {token.substr(0, first), token.substr(first + 1, last - first - 1),
            token.substr(last + 1), token.substr(0, last)};
}

std::string decode(std::string_view part, const char* name) {
    std::optional<std::string> octets = decode_base64url(part);
    if (!octets) {
        if (const auto dots = std::count(part.begin(), part.end(), '.'); dots > 0) {
            throw wrong_number_of_parts(2 + dots);
        }
        throw malformed_token("the token's " + std::string(name) +
                              " is not base64url without padding");
    }
    return *std::move(octets);
}

/// Parses the header members that we use (RFC 7515 section 4.1).
JoseHeader parse_header(const std::string& text) {
    const std::optional<json::Value> header = json::parse(text);
    if (!header || !header->view().is_object()) {
        throw malformed_token(not_an_object("header"));
    }
    const json::View view = header->view();
    for (const char* extension : {"crit", "b64"}) {  // we support none
        if (view.member(extension)) {
            throw malformed_token(member_seen(view, extension) + ", expected to be absent");
        }
    }
    const std::optional<json::View> algorithm = view.member("alg");
    if (!algorithm || !algorithm->string()) {
        throw malformed_token(member_seen(view, "alg") + ", expected a string");
    }
    const std::optional<json::View> kid = view.member("kid");
    if (kid && !kid->string()) {
        throw malformed_token(member_seen(view, "kid") + ", expected a string");
    }
    return {*algorithm->string(), kid ? kid->string() : std::nullopt};
}

// --- The keys

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

/// The maximum number of characters of a `kid` in a reason. Keycloak's have 43.
constexpr std::size_t kMaxKid = 64;

std::string describe(const Key& key) {
    return key.kid ? "key " + log_quoted(*key.kid, kMaxKid) : "the key without kid";
}

/// The first three of these keys, and how many more there are.
std::string describe(const std::vector<const Key*>& keys, bool with_algorithms) {
    constexpr std::size_t kMaxDescribed = 3;
    const std::size_t count = std::min(keys.size(), kMaxDescribed);
    std::string list;
    for (std::size_t i = 0; i < count; ++i) {
        list += (i == 0 ? "" : ", ") + describe(*keys[i]);
        list += with_algorithms ? " (" + names_of(keys[i]->algorithms()) + ")" : "";
    }
    return list +
           (keys.size() > count ? " and " + std::to_string(keys.size() - count) + " more" : "");
}

}  // namespace

Jws parse_jws(std::string_view token) {
    if (token.size() > kMaxTokenSize) {
        throw malformed_token("the token has " + std::to_string(token.size()) +
                              " octets, expected at most " + std::to_string(kMaxTokenSize));
    }
    const Parts parts = split(token);
    JoseHeader header = parse_header(decode(parts.header, "header"));
    std::string payload = decode(parts.payload, "payload");
    std::string signature = decode(parts.signature, "signature");

    const std::optional<Algorithm> algorithm = algorithm_named(header.algorithm);
    if (!algorithm) {
        throw unaccepted_token("alg is " + log_quoted(header.algorithm) + ", expected one of " +
                               names_of(supported_algorithms()));
    }
    return {*algorithm, std::move(header.kid), std::move(payload), std::move(signature),
            parts.signed_text};
}

bool is_verified(const Jws& jws, const KeySet& keys) {
    const VerificationKey* key = find_key(keys, jws.algorithm, jws.kid);
    return key != nullptr && key->verify(jws.algorithm, jws.signed_text, jws.signature);
}

std::string why_unverified(const Jws& jws, const KeySet& keys) {
    std::vector<const Key*> all;
    std::vector<const Key*> candidates;
    std::vector<const Key*> fitting;
    for (const Key& key : keys.keys) {
        all.push_back(&key);
        if (is_candidate(key, jws.kid)) {
            candidates.push_back(&key);
            if (key.fits(jws.algorithm)) {
                fitting.push_back(&key);
            }
        }
    }
    const std::string algorithm = names_of({jws.algorithm});
    const std::string kid = jws.kid ? "kid " + log_quoted(*jws.kid, kMaxKid) : "no kid";
    if (candidates.empty()) {
        return "the token has " + kid + ", which no key has (known: " + describe(all, false) + ")";
    }
    const std::string unknown =
        names_unknown_key(jws, keys) ? "no key has the token's " + kid + ", and " : "";
    if (fitting.empty()) {
        return unknown + "alg " + algorithm + " does not fit " + describe(candidates, true);
    }
    if (fitting.size() > 1) {
        return "the token has " + kid + ", and " + std::to_string(fitting.size()) + " keys fit " +
               algorithm + ": " + describe(fitting, false);
    }
    return unknown + "the signature does not verify with " + describe(*fitting.front()) + " (" +
           algorithm + ")";
}

bool names_unknown_key(const Jws& jws, const KeySet& keys) {
    return jws.kid && std::none_of(keys.keys.begin(), keys.keys.end(),
                                   [&jws](const Key& key) { return key.kid == jws.kid; });
}

}  // namespace kheops
