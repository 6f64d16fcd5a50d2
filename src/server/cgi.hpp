// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "config.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

/// Plain CGI (RFC 3875): one process reads one request from its environment and answers it on
/// standard output.
namespace kheops {

/// Whether the environment describes a request: REQUEST_METHOD is set.
[[nodiscard]] bool is_cgi_request();

/// Answers the environment's request and logs it. Throws std::system_error if no thread can start.
void answer_as_cgi(const Config& config, const TokenVerifier& tokens, const Log& log);

/// Answers the request with a 500, because the settings are wrong. Returns the answer's log id.
[[nodiscard]] std::string answer_fault_as_cgi();

}  // namespace kheops
