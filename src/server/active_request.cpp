// SPDX-License-Identifier: MIT
#include "server/active_request.hpp"

#include <sys/socket.h>

#include <chrono>

namespace kheops {

namespace {

/// What the answer to a request whose budget is spent may take to be written. A peer that reads
/// takes it at once; most often it is a 503.
constexpr std::chrono::milliseconds kTimeToWrite(500);

/// More than what libpq does without a limit of ours, such as looking up a host's name, takes
/// unless something is wrong. The watchdog then waits for its own interval.
constexpr std::chrono::seconds kStuckAfter(10);

}  // namespace

void ActiveRequest::begin(int connection, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    connection_ = connection;
    overdue_ = deadline.end() + kTimeToWrite;
}

void ActiveRequest::end() {
    const std::lock_guard lock(mutex_);
    connection_ = -1;
    overdue_.reset();
}

bool ActiveRequest::shut_down_if_overdue(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (connection_ < 0 || now < overdue_) {
        return false;
    }
    ::shutdown(connection_, SHUT_RDWR);
    connection_ = -1;
    return true;
}

bool ActiveRequest::is_stuck(Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    return overdue_ && now >= *overdue_ + kStuckAfter;
}

}  // namespace kheops
