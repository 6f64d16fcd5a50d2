// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/message.hpp"
#include "variables.hpp"

/// The Common Gateway Interface (RFC 3875), in which both FastCGI and plain CGI pass a request and
/// take an answer.
namespace kheops {

/// The request that the meta-variables describe. What is not set is empty.
[[nodiscard]] Request to_request(const Variables& variables);

/// The answer as the web server takes it: `Status`, the headers, Content-Length except for a 204
/// (RFC 9110 section 8.6), a blank line, and the body, except to a HEAD request.
[[nodiscard]] std::string to_gateway_text(const Response& response, const Request& request);

}  // namespace kheops
