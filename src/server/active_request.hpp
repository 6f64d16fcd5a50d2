// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <optional>

#include "deadline.hpp"

namespace kheops {

/// The request that one serving thread has in hand, for the dispatching thread to look at: libfcgi
/// writes as slowly as the peer reads and cannot be called back, but its write fails at once when
/// somebody else shuts the connection down. Safe to use from several threads.
class ActiveRequest {
  public:
    /// Held by the serving thread while it answers a request, until the answer is written or cannot
    /// be.
    class Scope {
      public:
        /// The descriptor `connection` stays open as long as this lives. After `deadline` the
        /// answer still has a moment to be written.
        Scope(ActiveRequest& active, int connection, Deadline deadline) : active_(active) {
            active_.begin(connection, deadline);
        }
        ~Scope() { active_.end(); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        ActiveRequest& active_;
    };

    /// Shuts the connection down if its request is overdue at `now`. True when it did, which is
    /// once for a request.
    [[nodiscard]] bool shut_down_if_overdue(Clock::time_point now);

    /// Whether the thread has not come back long after its request was overdue: nothing that is
    /// bounded takes so long.
    [[nodiscard]] bool is_stuck(Clock::time_point now) const;

  private:
    void begin(int connection, Deadline deadline);
    void end();

    mutable std::mutex mutex_;
    int connection_ = -1;                       // below 0: none that can be shut down
    std::optional<Clock::time_point> overdue_;  // nothing: the thread has no request
};

}  // namespace kheops
