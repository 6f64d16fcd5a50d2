// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "deadline.hpp"

namespace kheops {

/// Admission control for a queue: tells how long a request that comes now would wait in it, by how
/// fast the queue moves now. Nothing of the past counts once the queue has been empty. Reads no
/// clock; for one thread at a time.
class AdmissionControl {
  public:
    /// A serving thread took the front of the queue at `now`. `queued` is when that request came
    /// into the queue, `left` is how many requests are in the queue now.
    void taken(Clock::time_point queued, Clock::time_point now, std::size_t left);

    /// How long a request that comes at `now` behind `waiting` others waits for a thread, as far as
    /// can be told. `oldest` is when the front came into the queue; ignored when the queue is
    /// empty.
    [[nodiscard]] Clock::duration expected_wait(std::size_t waiting, Clock::time_point oldest,
                                                Clock::time_point now) const;

  private:
    Clock::duration time_at_front_{};  // how long a request stands at the front: a moving average
    Clock::time_point last_taken_;
};

}  // namespace kheops
