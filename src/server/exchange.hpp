// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "database/connection_pool.hpp"
#include "deadline.hpp"
#include "http/message.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

namespace kheops {

/// Answers one request whatever happens: a refusal, missing keys, a silent database or a fault of
/// our own becomes the error that contract section 3 names, and one line goes to the log. `arrived`
/// is when the request's connection was accepted or, kept alive, its first octet came. Never
/// throws, short of memory apart.
[[nodiscard]] Response answer(const Request& request, const TokenVerifier& tokens,
                              ConnectionPool& database, Clock::time_point arrived,
                              Deadline deadline, const Log& log);

/// Answers with the 503 of a worker whose threads are all busy, whatever the request is, and logs
/// its line. Asks neither keys nor database, and so never waits.
[[nodiscard]] Response answer_too_busy(const Request& request, Clock::time_point arrived,
                                       const Log& log);

/// The web server's id of the request where it passed a plain one, else 20 random letters and
/// digits (contract section 3).
[[nodiscard]] std::string request_id(const Request& request);

/// The answer to a fault of our own; the log has more under that id.
[[nodiscard]] Response fault_response(const std::string& id);

}  // namespace kheops
