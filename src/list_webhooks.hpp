// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "database/connection_pool.hpp"
#include "deadline.hpp"
#include "http/message.hpp"
#include "token/access_token.hpp"

namespace kheops {

/// What became known of a request on its way through the gates, for its log line; what was learned
/// stays there when a later gate refuses.
struct RequestRecord {
    std::string album;                          ///< empty until the path matched
    std::string user;                           ///< empty until the token verified
    std::optional<Clock::time_point> asked_at;  ///< when the database was asked
    std::optional<Clock::time_point>
        answered_at;  ///< when its answer was received; it may have none
};

/// Answers `GET /albums/{album_id}/webhooks`, and HEAD with the same body, which the gateway leaves
/// out. `now` is the time that the token's claims are held against; `deadline` bounds the waiting
/// for keys and for the database. Throws HttpError where a gate refuses (contract section 3),
/// KeysUnavailable and DatabaseError where the keys or the database are not there in time.
[[nodiscard]] Response list_webhooks(const Request& request, const TokenVerifier& tokens,
                                     ConnectionPool& database,
                                     std::chrono::system_clock::time_point now, Deadline deadline,
                                     RequestRecord& record);

}  // namespace kheops
