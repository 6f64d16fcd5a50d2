// SPDX-License-Identifier: MIT
#include "database/query.hpp"

#include <optional>

namespace kheops {

namespace {

/// Maximum number of new connections to try. The server may close one just after it was made.
constexpr int kMaxNewConnections = 2;

void run_on_pool(ConnectionPool& pool, const Statement& statement, const Parameters& parameters,
                 Deadline deadline, const Reader& read) {
    using Kind = DatabaseError::Kind;
    std::optional<ConnectionPool::Lease> lease;
    int lost_new = 0;
    for (bool repeated = false;; repeated = true) {
        if (!lease) {
            lease.emplace(pool.borrow(deadline));
        }
        try {
            lease->connection().run(statement, parameters, deadline, read);
            lease->note_success();
            pool.lock_breaker().note_success();
            return;
        } catch (const DatabaseError& error) {
            const bool is_conflict = error.kind() == Kind::conflict;
            const bool is_transient = is_conflict || error.kind() == Kind::unreachable ||
                                      error.kind() == Kind::invalidated;
            // The loss of an idle connection does not mean that the next one fails.
            if (!is_transient || (repeated && is_conflict) ||
                (lease->is_new() && ++lost_new == kMaxNewConnections)) {
                throw;
            }
            if (!lease->connection().is_usable()) {
                lease.reset();
            }
        }
    }
}

}  // namespace

void query(ConnectionPool& pool, const Statement& statement, const Parameters& parameters,
           Deadline deadline, const Reader& read) {
    const LockBreaker::Permit permit = pool.lock_breaker().enter();
    try {
        run_on_pool(pool, statement, parameters, deadline, read);
    } catch (const DatabaseError& error) {
        pool.lock_breaker().note_failure(error);
        if (error.kind() != DatabaseError::Kind::statement_failed ||
            statement.objects == Statement::Objects::required) {
            pool.note_failure(error);
        }
        throw;
    }
}

}  // namespace kheops
