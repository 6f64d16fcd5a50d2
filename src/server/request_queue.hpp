// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "deadline.hpp"
#include "descriptor.hpp"
#include "server/admission.hpp"
#include "server/fastcgi_records.hpp"

namespace kheops {

/// A connection with a request to serve. The serving thread that takes it owns it until it gives it
/// back (Dispatcher::next_after).
struct ReadyRequest {
    std::uint64_t id;  ///< the connection's, for giving it back
    Descriptor connection;
    RequestFraming framing;
    Clock::time_point arrived;  ///< when the connection was accepted or the first octet came
    Clock::time_point whole;    ///< when the rest of it had come
    Deadline deadline;
};

/// The requests that wait for a thread. The dispatching thread adds them; the serving threads take
/// the admitted ones in order, and a thread of its own takes the refused ones, so that a client is
/// told at once while all serving threads are busy. Safe to use from several threads.
class RequestQueue {
  public:
    /// `budget` bounds one request (contract section 7, KHEOPS_WEBHOOKS_TIMEOUT).
    explicit RequestQueue(std::chrono::milliseconds budget);

    enum class Lane {
        admitted,
        refused,  ///< would have waited, or has waited, too long for a thread
    };

    /// Adds a request: to the refused ones when it would wait for a thread longer than a quarter of
    /// the budget, so that those who are served have time left for the database.
    void add(ReadyRequest request);

    /// Moves the admitted requests whose deadline has passed to the refused ones.
    void refuse_overdue(Clock::time_point now);

    /// The next request of that lane. Waits for it; nothing once finish() was called and the lane
    /// is empty.
    [[nodiscard]] std::optional<ReadyRequest> next(Lane lane);

    /// Whether nothing waits and a serving thread is idle.
    [[nodiscard]] bool has_spare_thread();

    /// Lets the threads go, once they have served what is left. May be called again.
    void finish();

  private:
    /// A serving thread that waits for a request.
    struct Idle {
        std::condition_variable called;
        bool is_called = false;
    };

    /// Waits for an admitted request, or for the end. \pre `lock` holds mutex_.
    void wait_for_admitted(std::unique_lock<std::mutex>& lock);

    const Clock::duration max_wait_;
    std::mutex mutex_;
    std::deque<ReadyRequest> admitted_;
    std::deque<ReadyRequest> refused_;
    AdmissionControl admission_;
    std::vector<Idle*> idle_;  // the last one is called first
    std::condition_variable refused_changed_;
    bool finished_ = false;
};

}  // namespace kheops
