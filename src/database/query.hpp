// SPDX-License-Identifier: MIT
#pragma once

#include "database/connection_pool.hpp"
#include "deadline.hpp"

namespace kheops {

/// Runs the statement on a connection of the pool with text parameters and gives its rows to
/// `read`. It is repeated once after a conflict; and on another connection, of which at most two
/// are new, where the connection turns out to be lost, the plan no longer fits, or the answer is
/// none: `read` throws DatabaseError then, as Result does. Throws DatabaseError as
/// Connection::run() does, and at once where the database is down or another request waits for a
/// table that is locked.
void query(ConnectionPool& pool, const Statement& statement, const Parameters& parameters,
           Deadline deadline, const Reader& read);

}  // namespace kheops
