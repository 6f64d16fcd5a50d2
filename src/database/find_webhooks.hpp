// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "database/connection_pool.hpp"
#include "deadline.hpp"
#include "webhook.hpp"

namespace kheops {

/// The texts of sql/list_webhooks.sql and sql/list_webhooks_accelerated.sql.
extern const char* const kListWebhooksSql;
extern const char* const kListWebhooksAcceleratedSql;

/// Who asks, as the database knows them. Each member is true only where the ones before it are.
struct Caller {
    bool known = false;          ///< a user has that `sub`
    bool member = false;         ///< of the album, which exists and is not their inbox
    bool administrator = false;  ///< of the album
};

struct Listing {
    Clock::time_point received;  ///< when the database's answer was there, before it was read
    Caller caller;
    WebhookPage page;  ///< empty unless the caller is an administrator
};

/// Asks for the caller's standing and the page of the album's webhooks: one statement, one round
/// trip, one snapshot (contract section 6). `subject` is UTF-8 without U+0000. Throws
/// DatabaseError; one of kind untranslatable means that what is stored cannot be read.
///
/// Where sql/accelerate.sql is in force, which each answer tells for the next request of whatever
/// thread, the statement made for it is asked; when that has been undone since, the other one
/// answers this same request. The answers are the same.
[[nodiscard]] Listing find_webhooks(ConnectionPool& pool, const std::string& subject,
                                    const AlbumId& album, const WebhookFilter& filter,
                                    Deadline deadline);

}  // namespace kheops
