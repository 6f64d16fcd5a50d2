// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/message.hpp"

namespace kheops {

/// What a token that does not verify is answered: gate 5 of contract section 3, in the form of RFC
/// 6750 section 3. `description` is a sentence without quotes or backslashes that helps the token's
/// owner and no forger.
[[nodiscard]] inline HttpError invalid_token(const std::string& description) {
    const std::string challenge =
        R"(Bearer realm="kheops", error="invalid_token", error_description=")" + description + '"';
    return {401, "Authorization error", description, {{"WWW-Authenticate", challenge}}};
}

/// The token is not what it should be in form, before any question of trust.
[[nodiscard]] inline HttpError malformed_token() {
    return invalid_token("The token is malformed");
}

/// The token is well-formed but not for us; which of its parts is wrong is not told.
[[nodiscard]] inline HttpError unaccepted_token() {
    return invalid_token("The token is not accepted");
}

}  // namespace kheops
