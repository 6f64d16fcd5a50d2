// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <string>
#include <utility>

#include "database/error.hpp"
#include "log.hpp"

namespace kheops {

/// A circuit breaker for a table that is locked for long, for example by a migration. It opens when
/// a statement has exceeded lock_timeout. Then one request at a time waits for the lock, and the
/// breaker refuses the others at once, to keep threads free for requests that need no database. The
/// breaker closes when a statement succeeds. Logs both changes. Thread-safe.
class LockBreaker {
  public:
    /// `log` must outlive this object.
    explicit LockBreaker(const Log& log) : log_(log) {}

    /// Permission to run a statement; hold it while the statement runs.
    class Permit {
      public:
        explicit Permit(std::atomic<bool>* waiting) : waiting_(waiting) {}
        ~Permit() {
            if (waiting_ != nullptr) {
                *waiting_ = false;
            }
        }
        Permit(Permit&& other) noexcept : waiting_(std::exchange(other.waiting_, nullptr)) {}
        Permit& operator=(Permit&&) = delete;
        Permit(const Permit&) = delete;
        Permit& operator=(const Permit&) = delete;

      private:
        std::atomic<bool>* waiting_;  // null if no table is locked
    };

    /// Throws DatabaseError (timed_out) if another request already waits for the lock.
    [[nodiscard]] Permit enter() {
        if (!is_locked_) {
            return Permit(nullptr);
        }
        if (is_waiting_.exchange(true)) {
            throw DatabaseError(DatabaseError::Kind::timed_out, std::string(kLockNotAvailable),
                                "a table is locked");
        }
        return Permit(&is_waiting_);
    }

    void note_success() {
        if (is_locked_ && is_locked_.exchange(false)) {
            log_.event(LogLevel::info, "database_unlocked");
        }
    }

    void note_failure(const DatabaseError& error) {
        if (error.sqlstate() == kLockNotAvailable && !is_locked_.exchange(true)) {
            log_.event(LogLevel::warning, "database_locked",
                       {{"sqlstate", error.sqlstate()},
                        {"reason", "another session holds a lock on a table of the list"}});
        }
    }

  private:
    const Log& log_;
    std::atomic<bool> is_locked_ = false;
    std::atomic<bool> is_waiting_ = false;
};

}  // namespace kheops
