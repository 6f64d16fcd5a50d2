// SPDX-License-Identifier: MIT

// Tokens. Input: a token; or, if it begins with `{`, a header, a line feed and a payload, which are
// signed here. Oracles: a token that verifies is the same when decoded and encoded again, has an
// alg, and is refused with one character changed; a correctly signed token verifies.

#include <algorithm>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "fuzz/target.hpp"
#include "http/message.hpp"
#include "support/test_keys.hpp"
#include "text/utf8.hpp"
#include "token/access_token.hpp"
#include "token/jws.hpp"

namespace kheops {
namespace {

constexpr const char* kSecret = "forty-eight octets of a secret, as HS384 demands";

const KeySet& keys() {
    // The Ed25519 key is that of RFC 8037, appendix A.
    static const KeySet set = parse_key_set(test::jwk_set(
        {test::SigningKey::hmac(kSecret).jwk(R"("kid":"mac")"),
         R"({"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"}));
    return set;
}

/// The payload; nullopt if the token is refused.
std::optional<std::string> payload_of(const std::string& token) {
    try {
        const Jws jws = parse_jws(token);
        const bool verified = is_verified(jws, keys());
        FUZZ_CHECK(!verified || !names_unknown_key(jws, keys()));
        FUZZ_CHECK(verified || !why_unverified(jws, keys()).empty());
        return verified ? std::optional(jws.payload) : std::nullopt;
    } catch (const HttpError& error) {
        FUZZ_CHECK(error.status() == 401);
        // The detail shows no part of the token.
        FUZZ_CHECK(error.detail() == "The token is malformed" ||
                   error.detail() == "The token is not accepted");
        FUZZ_CHECK(!error.reason().empty() && is_utf8(error.reason()));
        return std::nullopt;
    }
}

int digit_of(char c) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const size_t at = kAlphabet.find(c);
    FUZZ_CHECK(at != std::string_view::npos);
    return static_cast<int>(at);
}

/// Decodes bit by bit.
std::string naive_decode(const std::string& text) {
    std::vector<bool> bits;
    for (const char c : text) {
        for (int bit = 5; bit >= 0; --bit) {
            bits.push_back((digit_of(c) >> bit & 1) != 0);
        }
    }
    std::string octets;
    for (size_t at = 0; at + 8 <= bits.size(); at += 8) {
        int value = 0;
        for (size_t bit = 0; bit < 8; ++bit) {
            value = value * 2 + (bits[at + bit] ? 1 : 0);
        }
        octets += static_cast<char>(value);
    }
    return octets;
}

void check_verified(const std::string& token, const std::string& payload) {
    FUZZ_CHECK(token.size() <= kMaxTokenSize);
    FUZZ_CHECK(std::count(token.begin(), token.end(), '.') == 2);
    const size_t first = token.find('.');
    const size_t last = token.rfind('.');
    const std::string header = naive_decode(token.substr(0, first));
    const std::string signature = naive_decode(token.substr(last + 1));
    FUZZ_CHECK(naive_decode(token.substr(first + 1, last - first - 1)) == payload);
    FUZZ_CHECK(test::encode_base64url(header) + '.' + test::encode_base64url(payload) + '.' +
                   test::encode_base64url(signature) ==
               token);
    FUZZ_CHECK(header.find("alg") != std::string::npos || header.find("\\u") != std::string::npos);
    FUZZ_CHECK(signature.size() == 32 || signature.size() == 48 || signature.size() == 64);

    for (size_t at = 0; at < token.size(); at += 1 + token.size() / 16) {
        std::string changed = token;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        FUZZ_CHECK(!payload_of(changed));
    }
    FUZZ_CHECK(!payload_of(token + '.') && !payload_of(token + '=') && !payload_of('.' + token));
}

void check_signed(const std::string& header, const std::string& payload) {
    static const test::SigningKey key = test::SigningKey::hmac(kSecret);
    const std::string plain = test::sign_jws(key, "HS256", R"({"alg":"HS256"})", payload);
    FUZZ_CHECK(plain.size() > kMaxTokenSize || payload_of(plain) == payload);

    const std::string token = test::sign_jws(key, "HS256", header, payload);
    if (const std::optional<std::string> found = payload_of(token)) {
        FUZZ_CHECK(*found == payload);
        check_verified(token, *found);
    }
}

void check_header(const std::string& value) {
    static const std::regex shape("[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*) *");
    std::smatch match;
    const bool fits = std::regex_match(value, match, shape);
    try {
        const std::string_view token = bearer_token(value);
        FUZZ_CHECK(fits && match[1] == std::string(token));
    } catch (const HttpError& error) {
        FUZZ_CHECK(!fits && error.status() == 401);
    }
}

}  // namespace
}  // namespace kheops

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(kheops::fuzz::text_of(data, size));
    if (text.starts_with('{')) {
        const size_t line = std::min(text.find('\n'), text.size());
        kheops::check_signed(text.substr(0, line), text.substr(std::min(line + 1, text.size())));
    } else if (const std::optional<std::string> payload = kheops::payload_of(text)) {
        kheops::check_verified(text, *payload);
    }
    constexpr size_t kMax = 1000;  // std::regex recurses
    kheops::check_header(text.substr(0, kMax));
    kheops::check_header("Bearer " + text.substr(0, kMax));
    return 0;
}
