// SPDX-License-Identifier: MIT
#pragma once

#include "database/connection_pool.hpp"
#include "deadline.hpp"

namespace kheops {

/// Runs the statement with text parameters on a connection of the pool and passes its rows to
/// `read`. Repeats it once after a conflict. Repeats it on other connections, at most two of them
/// new, if the connection is lost, the plan no longer fits the schema, or `read` reports a protocol
/// violation, as Result does. Throws DatabaseError as Connection::run() does, and at once if the
/// database is down or another request waits for a locked table. Thread-safe.
void query(ConnectionPool& pool, const Statement& statement, const Parameters& parameters,
           Deadline deadline, const Reader& read);

}  // namespace kheops
