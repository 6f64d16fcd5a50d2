// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "config.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

/// Plain CGI (RFC 3875): one process, one request, in the environment and on standard output.
namespace kheops {

/// Whether the program was started to answer one request.
[[nodiscard]] bool is_cgi_request();

/// Answers the request that the environment describes.
void answer_as_cgi(const Config& config, const TokenVerifier& tokens, const Log& log);

/// Answers it with a 500 because the program cannot be run as it is configured. Returns the id that
/// the answer names, for the log.
[[nodiscard]] std::string answer_fault_as_cgi();

}  // namespace kheops
