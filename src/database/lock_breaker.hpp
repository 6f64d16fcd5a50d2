// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <string>
#include <utility>

#include "database/error.hpp"
#include "log.hpp"

namespace kheops {

/// A circuit breaker for a table that somebody locks for long, such as a migration: once a
/// statement has waited for a lock as long as it may, one request at a time goes on waiting for it,
/// and the others are refused at once, so that the threads are free for what needs no database.
/// The one that waits is served as soon as the lock is released, and with it all others. Logs when
/// it opens and closes. Safe to use from several threads.
class LockBreaker {
  public:
    /// `log` outlives this.
    explicit LockBreaker(const Log& log) : log_(log) {}

    /// The permission to ask, held while a request does.
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
        std::atomic<bool>* waiting_;  // null where nothing is locked
    };

    /// Throws DatabaseError (late) where another request waits for the lock already.
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
