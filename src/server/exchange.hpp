// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "database/connection_pool.hpp"
#include "deadline.hpp"
#include "http/message.hpp"
#include "log.hpp"
#include "token/access_token.hpp"

namespace kheops {

/// The durations of a request, as its log line reports them.
struct RequestTimes {
    Clock::duration waited;                   ///< from its arrival until a thread took it
    std::optional<Clock::duration> database;  ///< empty: the database was not asked
    Clock::duration total;                    ///< from its arrival until the answer was complete
};

/// The answer to a request, which is not written yet.
struct Answer {
    Response response;
    RequestTimes times;
};

/// Answers one request and logs one line. A refusal, missing keys, an unavailable database or any
/// other exception becomes the error of contract section 3. `arrived` is the time of accept(2) or,
/// on a kept connection, of the request's first octet; `deadline` limits the waits. Throws only if
/// memory or random numbers run out.
[[nodiscard]] Answer answer(const Request& request, const TokenVerifier& tokens,
                            ConnectionPool& database, Clock::time_point arrived, Deadline deadline,
                            const Log& log);

/// Answers any request with a 503, because all threads are busy, and logs its line. Uses neither
/// keys nor database, so it never waits.
[[nodiscard]] Answer answer_too_busy(const Request& request, Clock::time_point arrived,
                                     const Log& log);

/// Returns the web server's request id if it is 1 to 64 letters and digits, else 20 random letters
/// and digits (contract section 3).
[[nodiscard]] std::string request_id(const Request& request);

/// Returns the 500 answer to an internal error. The log line with the same `id` has the reason.
[[nodiscard]] Response fault_response(const std::string& id);

}  // namespace kheops
