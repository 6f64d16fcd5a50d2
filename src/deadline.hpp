// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

namespace kheops {

using Clock = std::chrono::steady_clock;

/// When to stop working on a request: at the end of its budget (contract section 7,
/// KHEOPS_WEBHOOKS_TIMEOUT), or when its peer, such as the web server, hangs up.
class Deadline {
  public:
    explicit Deadline(Clock::time_point end) : end_(end) {}

    /// Returns a copy whose peer is connected at `descriptor`, which the caller keeps open.
    [[nodiscard]] Deadline with_peer(int descriptor) const {
        Deadline with = *this;
        with.peer_ = descriptor;
        return with;
    }
    /// The descriptor, below 0 if there is none.
    [[nodiscard]] int peer() const { return peer_; }

    /// Returns the deadline after the peer has hung up: at most `grace` from now.
    [[nodiscard]] Deadline after_hang_up(std::chrono::milliseconds grace) const {
        Deadline rest = at_most(grace);
        rest.peer_ = -1;
        rest.is_abandoned_ = true;
        return rest;
    }
    /// Whether the peer has hung up.
    [[nodiscard]] bool is_abandoned() const { return is_abandoned_; }

    /// Returns a copy that ends at most `time` from now.
    [[nodiscard]] Deadline at_most(std::chrono::milliseconds time) const {
        Deadline sooner = *this;
        sooner.end_ = std::min(end_, Clock::now() + time);
        return sooner;
    }

    [[nodiscard]] Clock::time_point end() const { return end_; }

    [[nodiscard]] bool passed() const { return Clock::now() >= end_; }

    /// Returns the time left, rounded up so that a wait of this length does not end early; never
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
