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
    /// For the serving thread: it begins to answer on that descriptor, which stays open until
    /// end(). After `deadline` the answer still has a moment to be written.
    void begin(int connection, Deadline deadline);
    /// For the serving thread: the answer is written, or cannot be.
    void end();

    /// Shuts the connection down if its request is overdue at `now`. True when it did, which is
    /// once for a request.
    [[nodiscard]] bool cut_if_overdue(Clock::time_point now);

    /// Whether the thread has not come back long after its request was overdue: nothing that is
    /// bounded takes so long.
    [[nodiscard]] bool is_stuck(Clock::time_point now) const;

  private:
    mutable std::mutex mutex_;
    int connection_ = -1;                       // below 0: none that can be shut down
    std::optional<Clock::time_point> overdue_;  // nothing: the thread has no request
};

}  // namespace kheops
