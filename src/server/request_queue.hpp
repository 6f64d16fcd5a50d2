// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
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

/// A connection on which a whole request has arrived. The serving thread that takes it owns it
/// until it calls Dispatcher::next_after().
struct ReadyRequest {
    std::uint64_t id;  ///< of the connection, for Dispatcher::next_after()
    Descriptor connection;
    RequestFraming framing;
    Clock::time_point arrived;  ///< at accept(2) or, on a kept connection, at the first octet
    Clock::time_point whole;    ///< when its parameters had all arrived
    Deadline deadline;
};

/// Requests that wait for a thread. The dispatching thread adds them; the serving threads take the
/// admitted ones in order. One thread each takes the refused ones and those of the operator, which
/// so get an answer while all serving threads are busy. Safe to use from several threads.
class RequestQueue {
  public:
    /// `budget` is the maximum time of a request (contract section 7, KHEOPS_WEBHOOKS_TIMEOUT).
    explicit RequestQueue(std::chrono::milliseconds budget);

    enum class Lane {
        admitted,
        refused,        ///< would wait, or has waited, too long for a thread
        from_operator,  ///< RequestFraming::from_operator; neither refused nor behind others
    };

    /// Adds a request. Refuses it if it would wait for a thread longer than a quarter of the
    /// budget, so that requests that are served have time left for the database.
    void add(ReadyRequest request);

    /// Refuses the admitted requests whose deadline has passed at `now`.
    void refuse_overdue(Clock::time_point now);

    /// Waits for the next request of that lane and returns it. Empty once finish() was called and
    /// the lane is empty.
    [[nodiscard]] std::optional<ReadyRequest> next(Lane lane);

    /// Whether no request is queued and a serving thread is idle.
    [[nodiscard]] bool has_spare_thread();

    /// How many admitted requests wait for a thread.
    [[nodiscard]] std::size_t waiting();

    /// Makes next() return empty once the queued requests are taken. May be called again.
    void finish();

  private:
    /// A serving thread that waits for a request.
    struct IdleThread {
        std::condition_variable called;
        bool is_called = false;
    };

    /// A lane that one thread serves.
    struct SingleLane {
        std::deque<ReadyRequest> requests;
        std::condition_variable changed;
    };

    static void push(SingleLane& lane, ReadyRequest request);
    /// Waits for an admitted request or for finish(). \pre `lock` holds mutex_.
    void wait_for_admitted(std::unique_lock<std::mutex>& lock);

    const Clock::duration max_wait_;
    std::mutex mutex_;
    std::deque<ReadyRequest> admitted_;
    SingleLane refused_;
    SingleLane from_operator_;
    AdmissionControl admission_;
    std::vector<IdleThread*> idle_;  // the last one is woken first
    bool finished_ = false;
};

}  // namespace kheops
