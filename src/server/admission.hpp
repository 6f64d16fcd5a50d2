// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "deadline.hpp"

namespace kheops {

/// Admission control for a queue: predicts from the current speed of the queue how long a new
/// request would wait. An empty queue resets the prediction. Reads no clock. Not thread-safe.
class AdmissionControl {
  public:
    /// Records that a serving thread took the front request at `now`. `queued` is when that request
    /// entered the queue, `left` is how many requests remain in it.
    void on_taken(Clock::time_point queued, Clock::time_point now, std::size_t left);

    /// Returns how long a request that arrives at `now` behind `waiting` others would wait for a
    /// thread. `oldest` is when the front request entered the queue; unused if `waiting` is 0.
    [[nodiscard]] Clock::duration expected_wait(std::size_t waiting, Clock::time_point oldest,
                                                Clock::time_point now) const;

  private:
    Clock::duration time_at_front_{};  // of a request, as a moving average
    Clock::time_point last_taken_;
};

}  // namespace kheops
