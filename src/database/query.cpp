// SPDX-License-Identifier: MIT
#include "database/query.hpp"

#include <optional>

namespace kheops {

namespace {

void query_twice(ConnectionPool& pool, const Statement& statement, const Parameters& parameters,
                 Deadline deadline, const Reader& read) {
    using Kind = DatabaseError::Kind;
    std::optional<ConnectionPool::Lease> lease;
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
            const bool conflict = error.kind() == Kind::conflict;
            const bool passing =
                conflict || error.kind() == Kind::unreachable || error.kind() == Kind::invalidated;
            // What a connection lost while it was idle says nothing of the next one.
            if (!passing || (repeated && (conflict || lease->is_new()))) {
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
        query_twice(pool, statement, parameters, deadline, read);
    } catch (const DatabaseError& error) {
        pool.lock_breaker().note_failure(error);
        if (error.kind() != DatabaseError::Kind::statement_failed ||
            statement.objects == Statement::Objects::required) {
            pool.failed(error);
        }
        throw;
    }
}

}  // namespace kheops
