// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

namespace kheops {

using Clock = std::chrono::steady_clock;

/// How long a request is worth working on: until its budget is spent (contract section 7,
/// KHEOPS_WEBHOOKS_TIMEOUT), or until nobody waits for its answer any more.
class Deadline {
  public:
    explicit Deadline(Clock::time_point end) : end_(end) {}

    /// The same with a descriptor, not owned, that hangs up when nobody waits any more.
    [[nodiscard]] Deadline with_peer(int descriptor) const {
        Deadline with = *this;
        with.peer_ = descriptor;
        return with;
    }
    /// Below 0 when none is known.
    [[nodiscard]] int peer() const { return peer_; }

    /// The deadline once the caller has hung up: that long from now at most.
    [[nodiscard]] Deadline after_hang_up(std::chrono::milliseconds grace) const {
        Deadline rest = at_most(grace);
        rest.peer_ = -1;
        rest.is_abandoned_ = true;
        return rest;
    }
    /// Whether the caller has hung up.
    [[nodiscard]] bool is_abandoned() const { return is_abandoned_; }

    /// The same, or that long from now, whichever is sooner.
    [[nodiscard]] Deadline at_most(std::chrono::milliseconds time) const {
        Deadline sooner = *this;
        sooner.end_ = std::min(end_, Clock::now() + time);
        return sooner;
    }

    [[nodiscard]] Clock::time_point end() const { return end_; }

    [[nodiscard]] bool passed() const { return Clock::now() >= end_; }

    /// What is left, rounded up so that who waits this long does not wake too early; never
    /// negative.
    [[nodiscard]] std::chrono::milliseconds remaining() const {
        return std::max(std::chrono::milliseconds(0),
                        std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()));
    }

  private:
    Clock::time_point end_;
    int peer_ = -1;
    bool is_abandoned_ = false;
};

}  // namespace kheops
