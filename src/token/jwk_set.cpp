// SPDX-License-Identifier: MIT
#include "token/jwk_set.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "text/base64url.hpp"
#include "text/json.hpp"
#include "text/utf8.hpp"

namespace kheops {

namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";
constexpr std::string_view kPemBegin = "-----BEGIN ";
constexpr std::string_view kPemDashes = "-----";
constexpr std::string_view kPemPrivate = "PRIVATE KEY-----";

// --- One JWK

/// A member that is null counts as absent.
std::optional<json::View> present_member(const json::View& jwk, const char* name) {
    const std::optional<json::View> member = jwk.member(name);
    return member && !member->is_null() ? member : std::nullopt;
}

std::optional<std::string> text_member(const json::View& jwk, const char* name) {
    const std::optional<json::View> member = jwk.member(name);
    return member ? member->string() : std::nullopt;
}

/// Decodes a base64url member. Throws KeyError if it is absent or malformed.
std::string octets_member(const json::View& jwk, const char* name) {
    const std::optional<std::string> text = text_member(jwk, name);
    std::optional<std::string> octets = text ? decode_base64url(*text) : std::nullopt;
    if (!octets) {
        throw KeyError("its " + std::string(name) + " is missing or not base64url");
    }
    return *std::move(octets);
}

/// `use` and `key_ops` must allow verification (RFC 7517 sections 4.2 and 4.3).
void require_verification_use(const json::View& jwk) {
    if (present_member(jwk, "use") && text_member(jwk, "use") != "sig") {
        throw KeyError(kNotForSignatures);
    }
    const std::optional<json::View> operations = present_member(jwk, "key_ops");
    if (!operations) {
        return;
    }
    const std::vector<json::View> elements = operations->elements();
    if (std::none_of(elements.begin(), elements.end(),
                     [](const json::View& operation) { return operation.string() == "verify"; })) {
        throw KeyError("its key_ops lack verify");
    }
}

VerificationKey parse_key_material(const json::View& jwk) {
    const std::optional<std::string> type = text_member(jwk, "kty");
    const std::string curve = text_member(jwk, "crv").value_or("");
    if (type == "RSA") {
        return VerificationKey::rsa(octets_member(jwk, "n"), octets_member(jwk, "e"));
    }
    if (type == "EC") {
        return VerificationKey::ec(curve, octets_member(jwk, "x"), octets_member(jwk, "y"));
    }
    if (type == "OKP" && curve == "Ed25519") {
        return VerificationKey::ed25519(octets_member(jwk, "x"));
    }
    if (type == "oct") {
        return VerificationKey::hmac(octets_member(jwk, "k"));
    }
    throw KeyError("its kty is not RSA, EC, oct, or OKP with the curve Ed25519");
}

/// The algorithm in the JWK's `alg`. Null if it has no `alg`.
std::optional<Algorithm> parse_only_algorithm(const json::View& jwk, const VerificationKey& key) {
    if (!present_member(jwk, "alg")) {
        return std::nullopt;
    }
    const std::optional<Algorithm> only = algorithm_named(text_member(jwk, "alg").value_or(""));
    if (!only || !key.fits(*only)) {
        throw KeyError("its alg is not one that such a key can verify");
    }
    return only;
}

Key parse_jwk(const json::View& jwk) {
    std::optional<std::string> kid = text_member(jwk, "kid");
    if (present_member(jwk, "kid") && !kid) {
        throw KeyError("its kid is not a string");
    }
    require_verification_use(jwk);
    VerificationKey key = parse_key_material(jwk);
    const std::optional<Algorithm> only = parse_only_algorithm(jwk, key);
    return {std::move(key), std::move(kid), only};
}

/// A text that two JWKs share if they have the same members, in any order.
std::string identity_of(const json::View& jwk) {
    std::map<std::string_view, std::string> sorted;
    for (const auto& [name, value] : jwk.members()) {
        sorted.emplace(name, value.text());
    }
    std::string identity;
    for (const auto& [name, value] : sorted) {
        identity.append(name).append(1, '\0').append(value).append(1, '\0');
    }
    return identity;
}

// --- The whole text

/// The name of a key in log lines: its `kid`, quoted so that it stays on one line and cut if it is
/// long, or its position, counted from 1.
std::string name_of(std::optional<std::string> kid, std::size_t position) {
    if (!kid) {
        return "key " + std::to_string(position);
    }
    constexpr std::size_t kMaxKidSize = 64;
    if (kid->size() > kMaxKidSize) {
        kid = std::string(beginning_of(*kid, kMaxKidSize)) + "\u2026";
    }
    return "key " + json::Value::string(*kid).text();
}

/// Collects the keys of a text in its order.
class KeyCollector {
  public:
    /// Adds the key that `parse` returns to the set, or the reason if it throws. A key whose
    /// `identity` a key of the set has is that key.
    template <typename Parse>
    void add(const std::string& identity, const std::optional<std::string>& kid,
             const Parse& parse) {
        ++position_;
        try {
            if (position_ > kMaxKeys) {
                throw KeyError("a set has at most " + std::to_string(kMaxKeys) + " keys");
            }
            if (!identities_.contains(identity)) {
                set_.keys.push_back(parse());
                identities_.insert(identity);
            }
        } catch (const KeyError& error) {
            set_.skipped.add(name_of(kid, position_) + ": " + error.what());
        }
    }

    [[nodiscard]] KeySet take() { return std::move(set_); }

  private:
    KeySet set_;
    std::set<std::string> identities_;
    std::size_t position_ = 0;
};

KeySet parse_jwk_set(std::string_view text) {
    const std::optional<json::Value> root = json::parse(text);
    if (!root || !root->view().is_object()) {
        throw KeySetError("the key set is not valid JSON");
    }
    const std::optional<json::View> list = root->view().member("keys");
    const std::vector<json::View> jwks = list ? list->elements() : std::vector{root->view()};
    KeyCollector collector;
    for (const json::View& jwk : jwks) {
        collector.add(identity_of(jwk), text_member(jwk, "kid"), [&jwk] { return parse_jwk(jwk); });
    }
    return collector.take();
}

KeySet parse_pem_set(std::string_view text) {
    if (text.find(kPemPrivate) != std::string_view::npos) {
        throw KeySetError("the key set holds a private key, which must not be here");
    }
    KeyCollector collector;
    for (std::size_t begin = text.find(kPemBegin); begin != std::string_view::npos;) {
        const std::size_t next = text.find(kPemBegin, begin + 1);
        const std::string_view block = text.substr(begin, next - begin);
        const std::string identity(block.substr(0, block.rfind(kPemDashes)));
        collector.add(identity, std::nullopt, [block] {
            return Key{VerificationKey::pem(block), std::nullopt, std::nullopt};
        });
        begin = next;
    }
    return collector.take();
}

KeySet parse_any(std::string_view text) {
    const std::size_t first = text.find_first_not_of(kWhiteSpace);
    if (first == std::string_view::npos) {
        throw KeySetError("the key set is empty");
    }
    if (text[first] == '{') {
        return parse_jwk_set(text);
    }
    if (text.find(kPemBegin) != std::string_view::npos) {
        return parse_pem_set(text);
    }
    throw KeySetError("the key set is neither a JWK Set nor PEM");
}

}  // namespace

void SkippedKeys::add(std::string reason) {
    constexpr std::size_t kMaxReasons = 5;
    if (reasons_.size() < kMaxReasons) {
        reasons_.push_back(std::move(reason));
    }
    ++count_;
}

bool Key::fits(Algorithm algorithm) const {
    return key.fits(algorithm) && (!only || *only == algorithm);
}

std::vector<Algorithm> Key::algorithms() const {
    return only ? std::vector{*only} : key.algorithms();
}

KeySet parse_key_set(std::string_view text) {
    KeySet set = parse_any(text);
    if (set.keys.empty()) {
        std::string reasons;
        for (const std::string& reason : set.skipped.reasons()) {
            reasons += (reasons.empty() ? ": " : "; ") + reason;
        }
        const std::size_t more = set.skipped.count() - set.skipped.reasons().size();
        if (more > 0) {
            reasons += "; and " + std::to_string(more) + " more";
        }
        throw KeySetError("the key set holds no usable key" + reasons);
    }
    return set;
}

}  // namespace kheops
