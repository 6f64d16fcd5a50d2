// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

namespace kheops {

using Clock = std::chrono::steady_clock;

/// The moment at which a request's budget is spent (contract section 7, KHEOPS_WEBHOOKS_TIMEOUT).
class Deadline {
  public:
    explicit Deadline(Clock::time_point end) : end_(end) {}

    [[nodiscard]] bool passed() const { return Clock::now() >= end_; }

    /// What is left, rounded up so that who waits this long does not wake too early; never
    /// negative.
    [[nodiscard]] std::chrono::milliseconds remaining() const {
        return std::max(std::chrono::milliseconds(0),
                        std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()));
    }

  private:
    Clock::time_point end_;
};

}  // namespace kheops
