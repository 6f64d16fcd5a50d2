// SPDX-License-Identifier: MIT
#include "server/request_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kheops {

namespace {

/// A request may wait for a thread for its budget divided by this number.
constexpr int kWaitDivisor = 4;

}  // namespace

RequestQueue::RequestQueue(std::chrono::milliseconds budget) : max_wait_(budget / kWaitDivisor) {}

void RequestQueue::add(ReadyRequest request) {
    const std::lock_guard lock(mutex_);
    if (request.framing.from_operator) {
        push(from_operator_, std::move(request));
        return;
    }
    const Clock::time_point now = request.whole;
    const Clock::time_point oldest = admitted_.empty() ? now : admitted_.front().whole;
    if (admission_.expected_wait(admitted_.size(), oldest, now) > max_wait_) {
        push(refused_, std::move(request));
        return;
    }
    admitted_.push_back(std::move(request));
    // Wake the thread that was busy last: its data is in the processor's cache. Under little load,
    // the other threads stay asleep.
    if (!idle_.empty()) {
        idle_.back()->is_called = true;
        idle_.back()->called.notify_one();
        idle_.pop_back();
    }
}

void RequestQueue::refuse_overdue(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const auto overdue = std::stable_partition(
        admitted_.begin(), admitted_.end(),
        [now](const ReadyRequest& request) { return now < request.deadline.end(); });
    if (overdue == admitted_.end()) {
        return;
    }
    std::move(overdue, admitted_.end(), std::back_inserter(refused_.requests));
    admitted_.erase(overdue, admitted_.end());
    refused_.changed.notify_one();
}

std::optional<ReadyRequest> RequestQueue::next(Lane lane) {
    std::unique_lock lock(mutex_);
    SingleLane& single = lane == Lane::refused ? refused_ : from_operator_;
    std::deque<ReadyRequest>& requests = lane == Lane::admitted ? admitted_ : single.requests;
    if (lane == Lane::admitted) {
        wait_for_admitted(lock);
    } else {
        single.changed.wait(lock, [&] { return !requests.empty() || finished_; });
    }
    if (requests.empty()) {
        return std::nullopt;
    }
    std::optional<ReadyRequest> request(std::move(requests.front()));
    requests.pop_front();
    if (lane == Lane::admitted) {
        admission_.on_taken(request->whole, Clock::now(), requests.size());
    }
    return request;
}

void RequestQueue::push(SingleLane& lane, ReadyRequest request) {
    lane.requests.push_back(std::move(request));
    lane.changed.notify_one();
}

void RequestQueue::wait_for_admitted(std::unique_lock<std::mutex>& lock) {
    // A woken thread finds the queue empty if a thread that had just answered was faster.
    while (admitted_.empty() && !finished_) {
        IdleThread thread;
        idle_.push_back(&thread);
        thread.called.wait(lock, [&] { return thread.is_called || finished_; });
    }
}

bool RequestQueue::has_spare_thread() {
    const std::lock_guard lock(mutex_);
    return admitted_.empty() && !idle_.empty();
}

std::size_t RequestQueue::waiting() {
    const std::lock_guard lock(mutex_);
    return admitted_.size();
}

void RequestQueue::finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    for (IdleThread* thread : idle_) {
        thread->called.notify_one();
    }
    idle_.clear();
    refused_.changed.notify_all();
    from_operator_.changed.notify_all();
}

}  // namespace kheops
