// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <optional>

#include "deadline.hpp"

namespace kheops {

/// The request that one serving thread has in hand, for the dispatching thread to look at: libfcgi
/// writes as slowly as the peer reads and cannot be called back, but its write fails at once when
/// somebody else shuts the connection down. Safe to use from several threads.
class RequestInHand {
  public:
    /// Held by the serving thread while it answers a request, until the answer is written or cannot
    /// be.
    class Scope {
      public:
        /// The descriptor `connection` stays open as long as this lives. After `deadline` the
        /// answer still has a moment to be written.
        Scope(RequestInHand& in_hand, int connection, Deadline deadline) : in_hand_(in_hand) {
            in_hand_.begin(connection, deadline);
        }
        ~Scope() { in_hand_.end(); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        RequestInHand& in_hand_;
    };

    /// Shuts the connection down if its request is overdue at `now`. True when it did, which is
    /// once for a request.
    [[nodiscard]] bool cut_if_overdue(Clock::time_point now);

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
