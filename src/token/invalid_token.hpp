// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/message.hpp"

namespace kheops {

/// Returns the 401 for an invalid token (gate 5 of contract section 3), in the form of RFC 6750
/// section 3. `description` is a sentence without quotes and backslashes. It helps the owner of the
/// token, and does not help to forge one.
[[nodiscard]] inline HttpError invalid_token(const std::string& description) {
    const std::string challenge =
        R"(Bearer realm="kheops", error="invalid_token", error_description=")" + description + '"';
    return {401, "Authorization error", description, {{"WWW-Authenticate", challenge}}};
}

/// The 401 for a text that does not have the form of a token.
[[nodiscard]] inline HttpError malformed_token() {
    return invalid_token("The token is malformed");
}

/// The 401 for a well-formed token that is not accepted. It does not say which part is wrong.
[[nodiscard]] inline HttpError unaccepted_token() {
    return invalid_token("The token is not accepted");
}

}  // namespace kheops
