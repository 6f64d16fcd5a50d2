// SPDX-License-Identifier: MIT
#include "token/access_token.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "http/message.hpp"
#include "text/ascii.hpp"
#include "text/json.hpp"
#include "token/invalid_token.hpp"
#include "token/jws.hpp"

namespace kheops {

namespace {

constexpr std::string_view kScheme = "bearer ";
constexpr std::string_view kTokenCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
constexpr double kClockSkew = 60;  // maximum difference of the issuer's clock and ours, in seconds
constexpr std::ptrdiff_t kMaxSubject = 255;

// --- The header

HttpError invalid_header(const std::string& detail) {
    return {401, "Authorization error", detail, {{"WWW-Authenticate", "Bearer realm=\"kheops\""}}};
}

bool begins_with_scheme(std::string_view authorization) {
    const auto equal = [](char left, char right) { return left == to_lower_case(right); };
    const std::string_view start = authorization.substr(0, kScheme.size());
    return std::equal(kScheme.begin(), kScheme.end(), start.begin(), start.end(), equal);
}

/// The b64token of RFC 6750: at least one character, `=` only at the end.
bool is_token(std::string_view text) {
    const std::size_t end = text.find_first_not_of(kTokenCharacters);
    return end != 0 && !text.empty() &&
           (end == std::string_view::npos ||
            text.find_first_not_of('=', end) == std::string_view::npos);
}

// --- The claims

/// A claim of the type NumericDate (RFC 7519 section 2). Null if it is absent.
std::optional<double> number_claim(const json::View& claims, const char* name) {
    const std::optional<json::View> claim = claims.member(name);
    if (claim && !claim->number()) {
        throw malformed_token();
    }
    return claim ? claim->number() : std::nullopt;
}

std::optional<std::string> text_claim(const json::View& claims, const char* name) {
    const std::optional<json::View> claim = claims.member(name);
    return claim ? claim->string() : std::nullopt;
}

/// `aud` is one string or an array of strings (RFC 7519 section 4.1.3).
bool is_for(const json::View& claims, const std::string& audience) {
    const std::optional<json::View> claim = claims.member("aud");
    if (!claim) {
        return false;
    }
    const std::vector<json::View> audiences = claim->elements();
    return claim->string() == audience ||
           std::any_of(audiences.begin(), audiences.end(), [&audience](const json::View& element) {
               return element.string() == audience;
           });
}

/// `scope` is a list of words separated by spaces (RFC 8693 section 4.2).
bool has_scope(const json::View& claims, const std::string& scope) {
    const std::string words = " " + text_claim(claims, "scope").value_or("") + " ";
    return words.find(" " + scope + " ") != std::string::npos;
}

void require_rules(const json::View& claims, const std::string& issuer, const TokenRules& rules) {
    if (text_claim(claims, "iss") != issuer ||
        (!rules.audience.empty() && !is_for(claims, rules.audience)) ||
        (!rules.scope.empty() && !has_scope(claims, rules.scope))) {
        throw unaccepted_token();
    }
}

void require_valid_at(const json::View& claims, std::chrono::system_clock::time_point now) {
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const std::optional<double> expiry = number_claim(claims, "exp");
    const std::optional<double> not_before = number_claim(claims, "nbf");
    const std::optional<double> issued = number_claim(claims, "iat");
    if (!expiry) {
        throw invalid_token("The token has no expiry time (exp)");
    }
    if (seconds >= *expiry + kClockSkew) {
        throw invalid_token("The token has expired");
    }
    if ((not_before && seconds < *not_before - kClockSkew) ||
        (issued && seconds < *issued - kClockSkew)) {
        throw invalid_token("The token is not yet valid");
    }
}

std::ptrdiff_t count_characters(const std::string& utf8) {
    return std::count_if(utf8.begin(), utf8.end(), [](char octet) {
        return (static_cast<unsigned char>(octet) & 0xC0) != 0x80;  // not a continuation
    });
}

std::string subject_of(const json::View& claims) {
    std::optional<std::string> subject = text_claim(claims, "sub");
    if (!subject || subject->empty() || count_characters(*subject) > kMaxSubject) {
        throw invalid_token("The token has no subject (sub) of 1 to 255 characters");
    }
    return *std::move(subject);
}

// --- The signature

/// Returns keys that verify the token's signature. Asks for newer keys if the token names an
/// unknown key. Throws HttpError 401 if no key verifies it.
KeySource::Keys keys_that_verify(const Jws& jws, KeySource& source, Deadline deadline) {
    KeySource::Keys keys = source.current();
    while (!keys || !is_verified(jws, keys->keys)) {
        if (keys && !names_unknown_key(jws, keys->keys)) {
            throw unaccepted_token();
        }
        KeySource::Keys newer = source.newer_than(keys, deadline);
        if (newer == keys) {
            throw unaccepted_token();
        }
        keys = std::move(newer);
    }
    return keys;
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) {
    if (authorization.empty()) {
        throw invalid_header("The Authorization header is missing");
    }
    if (!begins_with_scheme(authorization)) {
        throw invalid_header(
            "The Authorization header is malformed: it must be Bearer and a token");
    }
    std::string_view token = authorization.substr(kScheme.size());
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    token = token.substr(0, token.find_last_not_of(' ') + 1);
    if (!is_token(token)) {
        throw invalid_header(
            "The Authorization header is malformed: it must be Bearer and a token");
    }
    return token;
}

Identity TokenVerifier::verify(std::string_view token, std::chrono::system_clock::time_point now,
                               Deadline deadline) const {
    const Jws jws = parse_jws(token);
    const KeySource::Keys keys = keys_that_verify(jws, keys_, deadline);
    const std::optional<json::Value> payload = json::parse(jws.payload);
    if (!payload || !payload->view().is_object()) {
        throw malformed_token();
    }
    const json::View claims = payload->view();
    require_rules(claims, keys->issuer, rules_);
    require_valid_at(claims, now);
    return {subject_of(claims)};
}

}  // namespace kheops
