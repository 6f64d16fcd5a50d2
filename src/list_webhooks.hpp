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

/// What the gates found out about a request, for its log line. It stays set when a later gate
/// refuses the request.
struct RequestRecord {
    std::string album;                             ///< empty: the path did not match
    std::string user;                              ///< empty: the token did not verify
    std::string acting_party;                      ///< who acts for the user; empty: nobody
    std::optional<Clock::time_point> asked_at;     ///< start of the database call; empty: none
    std::optional<Clock::time_point> answered_at;  ///< when its answer arrived; empty: no answer
};

/// Answers `GET /albums/{album_id}/webhooks`, and HEAD with the same body, which the gateway omits;
/// with 304 if the client has this list already.
/// Checks the token's claims at the time `now`. `deadline` limits the waits for keys and for the
/// database. Throws HttpError if a gate refuses (contract section 3), KeysUnavailable or
/// DatabaseError if the keys or the database are not available in time.
[[nodiscard]] Response list_webhooks(const Request& request, const TokenVerifier& tokens,
                                     ConnectionPool& database,
                                     std::chrono::system_clock::time_point now, Deadline deadline,
                                     RequestRecord& record);

}  // namespace kheops
