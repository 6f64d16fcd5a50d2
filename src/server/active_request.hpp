// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <optional>

#include "deadline.hpp"

namespace kheops {

/// The request that one thread is answering. When the request is overdue, the dispatching thread
/// shuts its connection down: a write of libfcgi has no timeout and cannot be cancelled, but fails
/// at once after shutdown(2). Safe to use from several threads.
class ActiveRequest {
  public:
    /// That thread holds a Scope while it answers a request. Only then may the dispatching
    /// thread shut the connection down.
    class Scope {
      public:
        /// `active` and the open descriptor `connection` outlive this object. The request is
        /// overdue half a second after `deadline`.
        Scope(ActiveRequest& active, int connection, Deadline deadline) : active_(active) {
            active_.begin(connection, deadline);
        }
        ~Scope() { active_.end(); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        ActiveRequest& active_;
    };

    /// Shuts the connection down if its request is overdue at `now`. Returns true if it did, at
    /// most once for each request.
    [[nodiscard]] bool shut_down_if_overdue(Clock::time_point now);

    /// Whether a Scope exists.
    [[nodiscard]] bool is_active() const;

    /// Whether the request is still not answered 10 s after it became overdue. No operation that
    /// has a timeout takes so long.
    [[nodiscard]] bool is_stuck(Clock::time_point now) const;

  private:
    void begin(int connection, Deadline deadline);
    void end();

    mutable std::mutex mutex_;
    int connection_ = -1;                       // below 0: none to shut down
    std::optional<Clock::time_point> overdue_;  // empty: no request
};

}  // namespace kheops
