// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "http/message.hpp"
#include "log.hpp"
#include "text/json.hpp"

namespace kheops {

/// Returns the 401 for an invalid token (gate 5 of contract section 3), in the form of RFC 6750
/// section 3. `description` is a sentence without quotes and backslashes. It helps the owner of the
/// token, and does not help to forge one. `reason` is HttpError's.
[[nodiscard]] inline HttpError invalid_token(const std::string& description, std::string reason) {
    const std::string challenge =
        R"(Bearer realm="kheops", error="invalid_token", error_description=")" + description + '"';
    return {401,
            "Authorization error",
            description,
            {{"WWW-Authenticate", challenge}},
            std::move(reason)};
}

/// The 401 for a text that does not have the form of a token.
[[nodiscard]] inline HttpError malformed_token(std::string reason) {
    return invalid_token("The token is malformed", std::move(reason));
}

/// The 401 for a well-formed token that is not accepted. Only `reason` says which part is wrong.
[[nodiscard]] inline HttpError unaccepted_token(std::string reason) {
    return invalid_token("The token is not accepted", std::move(reason));
}

/// The reason for a part of a token that json::parse() refuses or that is another JSON value.
[[nodiscard]] inline std::string not_an_object(const char* part) {
    return "the token's " + std::string(part) +
           " is not a JSON object with unique names in UTF-8 without U+0000";
}

/// Returns what a header or claims set has under `name`, for the reason of a refusal: `iss is "a"`
/// or `iss is missing`. A long value is cut.
[[nodiscard]] inline std::string member_seen(const json::View& object, const char* name) {
    const std::optional<json::View> member = object.member(name);
    if (!member) {
        return std::string(name) + " is missing";
    }
    if (const std::optional<std::string> text = member->string()) {
        return std::string(name) + " is " + log_quoted(*text);
    }
    constexpr std::size_t kMaxOctets = 100;
    return std::string(name) + " is " + member->beginning_of_text(kMaxOctets);
}

}  // namespace kheops
