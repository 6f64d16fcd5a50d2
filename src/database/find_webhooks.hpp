// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "database/connection_pool.hpp"
#include "deadline.hpp"
#include "webhook.hpp"

namespace kheops {

/// sql/list_webhooks.sql and sql/list_webhooks_accelerated.sql.
extern const Statement kListWebhooks;
extern const Statement kListWebhooksAccelerated;
/// The text of sql/accelerate.sql.
extern const char* const kAccelerateSql;

/// The rights of the user who asks. Each member is true only if all members before it are.
struct Caller {
    bool known = false;          ///< a user has that `sub`
    bool member = false;         ///< of the album, which exists and is not their inbox
    bool administrator = false;  ///< of the album
};

struct Listing {
    Clock::time_point received;  ///< when the database's answer had arrived, before it was parsed
    Caller caller;
    WebhookPage page;  ///< empty unless the caller is an administrator
};

/// Returns the caller's rights and the page of the album's webhooks: one statement, one round trip,
/// one snapshot (contract section 6). `subject` is UTF-8 without U+0000. Throws DatabaseError; kind
/// untranslatable means that a stored text is invalid. Thread-safe.
///
/// Each answer reports whether sql/accelerate.sql is in force; if so, the next request of any
/// thread uses the statement made for it. If accelerate-undo.sql runs before that, the request
/// falls back to the other statement. Both give the same answer.
[[nodiscard]] Listing find_webhooks(ConnectionPool& pool, const std::string& subject,
                                    const AlbumId& album, const WebhookFilter& filter,
                                    Deadline deadline);

/// Prepares and runs one of the two statements for a user and an album that no database has.
/// Returns the count that the answer reports, by the oid of its table `ready`; 0 if none. Throws
/// DatabaseError.
[[nodiscard]] std::int64_t try_statement(Connection& connection, const Statement& statement,
                                         Deadline deadline);

/// Whether the next request uses the statement made for sql/accelerate.sql. Asks nothing.
[[nodiscard]] bool uses_accelerated_statement();

}  // namespace kheops
