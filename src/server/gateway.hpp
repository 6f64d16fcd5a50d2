// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "http/message.hpp"
#include "variables.hpp"

/// Requests and answers in the form of the Common Gateway Interface (RFC 3875), which FastCGI and
/// plain CGI share.
namespace kheops {

/// Returns the request that the meta-variables describe. A variable that is not set is empty.
[[nodiscard]] Request to_request(const Variables& variables);

/// Returns the answer for the web server: `Status`, the headers, Content-Length except for a 204
/// and a 304 (RFC 9110 section 8.6), a blank line, and the body except for a HEAD request.
[[nodiscard]] std::string to_gateway_text(const Response& response, const Request& request);

}  // namespace kheops
