// SPDX-License-Identifier: MIT
#include "token/access_token.hpp"

#include <algorithm>
#include <array>
#include <cmath>
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
constexpr double kClockSkew = std::chrono::duration<double>(kMaxClockSkew).count();
constexpr std::ptrdiff_t kMaxSubject = 255;

// --- The header

HttpError invalid_header(const std::string& detail, std::string reason) {
    return {401,
            "Authorization error",
            detail,
            {{"WWW-Authenticate", "Bearer realm=\"kheops\""}},
            std::move(reason)};
}

HttpError malformed_header(std::string reason) {
    return invalid_header("The Authorization header is malformed: it must be Bearer and a token",
                          std::move(reason));
}

/// `scheme` is in lower case and ends in a space.
bool begins_with(std::string_view authorization, std::string_view scheme) {
    const auto equal = [](char left, char right) { return left == to_lower_case(right); };
    const std::string_view start = authorization.substr(0, scheme.size());
    return std::equal(scheme.begin(), scheme.end(), start.begin(), start.end(), equal);
}

/// Shows nothing of the header but a well-known scheme: the rest can be a secret.
std::string why_not_bearer(std::string_view authorization) {
    constexpr std::array<std::string_view, 4> kOtherSchemes = {"basic ", "digest ", "dpop ",
                                                               "negotiate "};
    for (const std::string_view scheme : kOtherSchemes) {
        if (begins_with(authorization, scheme)) {
            return "the scheme of Authorization is " +
                   std::string(authorization.substr(0, scheme.size() - 1)) + ", expected Bearer";
        }
    }
    return "Authorization has " + std::to_string(authorization.size()) +
           " octets and does not begin with \"Bearer \"";
}

/// The position of the first character of `text`, which is not empty, that does not belong to the
/// b64token of RFC 6750: `=` stands only at the end. npos if `text` is such a token.
std::size_t find_no_token(std::string_view text) {
    const std::size_t end = text.find_first_not_of(kTokenCharacters);
    return end == 0 ? 0 : text.find_first_not_of('=', std::min(end, text.size()));
}

// --- The claims

/// A claim of the type NumericDate (RFC 7519 section 2). Null if it is absent.
std::optional<double> number_claim(const json::View& claims, const char* name) {
    const std::optional<json::View> claim = claims.member(name);
    if (claim && !claim->number()) {
        throw malformed_token(member_seen(claims, name) + ", expected a finite number");
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
    if (text_claim(claims, "iss") != issuer) {
        throw unaccepted_token(member_seen(claims, "iss") + ", expected " + log_quoted(issuer));
    }
    if (!rules.audience.empty() && !is_for(claims, rules.audience)) {
        throw unaccepted_token(member_seen(claims, "aud") + ", expected to contain " +
                               log_quoted(rules.audience));
    }
    if (!rules.scope.empty() && !has_scope(claims, rules.scope)) {
        throw unaccepted_token(member_seen(claims, "scope") + ", expected to contain the word " +
                               log_quoted(rules.scope));
    }
}

/// Why the time `claim` does not fit `now`, both in seconds since 1970.
std::string why_wrong_time(const std::string& name, double claim, double now) {
    const auto whole = [](double number) { return json::Value::number(std::floor(number)).text(); };
    const std::string distance = claim < now ? " passed " + whole(now - claim) + " s ago"
                                             : " is " + whole(claim - now) + " s ahead";
    return name + distance + "; " + whole(kClockSkew) + " s are tolerated (" + name + " is " +
           whole(claim) + ", this clock shows " + whole(now) + ")";
}

void require_valid_at(const json::View& claims, std::chrono::system_clock::time_point now) {
    const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
    const std::optional<double> expiry = number_claim(claims, "exp");
    const std::optional<double> not_before = number_claim(claims, "nbf");
    const std::optional<double> issued = number_claim(claims, "iat");
    if (!expiry) {
        throw invalid_token("The token has no expiry time (exp)",
                            "exp is missing, expected a number");
    }
    if (seconds >= *expiry + kClockSkew) {
        throw invalid_token("The token has expired", why_wrong_time("exp", *expiry, seconds));
    }
    if (not_before && seconds < *not_before - kClockSkew) {
        throw invalid_token("The token is not yet valid",
                            why_wrong_time("nbf", *not_before, seconds));
    }
    if (issued && seconds < *issued - kClockSkew) {
        throw invalid_token("The token is not yet valid", why_wrong_time("iat", *issued, seconds));
    }
}

std::ptrdiff_t count_characters(const std::string& utf8) {
    return std::count_if(utf8.begin(), utf8.end(), [](char octet) {
        return (static_cast<unsigned char>(octet) & 0xC0) != 0x80;  // not a continuation
    });
}

/// `sub` of the claims or of the acting party. Null if it is not a string of 1 to 255 characters.
std::optional<std::string> subject_in(const json::View& claims) {
    std::optional<std::string> subject = text_claim(claims, "sub");
    const bool is_valid = subject && !subject->empty() && count_characters(*subject) <= kMaxSubject;
    return is_valid ? std::move(subject) : std::nullopt;
}

std::string subject_of(const json::View& claims) {
    std::optional<std::string> subject = subject_in(claims);
    if (!subject) {
        throw invalid_token(
            "The token has no subject (sub) of 1 to 255 characters",
            member_seen(claims, "sub") + ", expected a string of 1 to 255 characters");
    }
    return *std::move(subject);
}

/// Empty if the token names no acting party.
std::string acting_party_of(const json::View& claims) {
    const std::optional<json::View> act = claims.member("act");
    if (!act) {
        return "";
    }
    std::optional<std::string> subject = subject_in(*act);
    if (!subject) {
        throw invalid_token(
            "The token has no acting party (act) with a subject (sub) of 1 to 255 characters",
            member_seen(claims, "act") +
                ", expected an object whose sub is a string of 1 to 255 characters");
    }
    return *std::move(subject);
}

// --- The signature

/// Returns keys that verify the token's signature. Asks for newer keys if the token names an
/// unknown key. Throws HttpError 401 if no key verifies it.
KeySource::Keys keys_that_verify(const Jws& jws, KeySource& source, Deadline deadline) {
    KeySource::Keys keys = source.current();
    while (!keys || !is_verified(jws, keys->keys)) {
        const bool may_be_newer = !keys || names_unknown_key(jws, keys->keys);
        KeySource::Keys newer = may_be_newer ? source.newer_than(keys, deadline) : keys;
        if (newer == keys) {
            throw unaccepted_token(keys ? why_unverified(jws, keys->keys) : "there are no keys");
        }
        keys = std::move(newer);
    }
    return keys;
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) {
    if (authorization.empty()) {
        throw invalid_header("The Authorization header is missing", "Authorization is missing");
    }
    if (!begins_with(authorization, kScheme)) {
        throw malformed_header(why_not_bearer(authorization));
    }
    const std::string_view token = trimmed(authorization.substr(kScheme.size()), " ");
    if (token.empty()) {
        throw malformed_header("no token follows Bearer");
    }
    if (const std::size_t at = find_no_token(token); at != std::string_view::npos) {
        throw malformed_header("character " + std::to_string(at + 1) + " of the token is " +
                               log_quoted(token.substr(at, 1)) + ", which no token has there");
    }
    return token;
}

Identity TokenVerifier::verify(std::string_view token, std::chrono::system_clock::time_point now,
                               Deadline deadline) const {
    const Jws jws = parse_jws(token);
    const KeySource::Keys keys = keys_that_verify(jws, keys_, deadline);
    const std::optional<json::Value> payload = json::parse(jws.payload);
    if (!payload || !payload->view().is_object()) {
        throw malformed_token(not_an_object("payload"));
    }
    const json::View claims = payload->view();
    require_rules(claims, keys->issuer, rules_);
    require_valid_at(claims, now);
    return {subject_of(claims), acting_party_of(claims)};
}

}  // namespace kheops
