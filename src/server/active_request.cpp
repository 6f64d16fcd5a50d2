// SPDX-License-Identifier: MIT
#include "server/active_request.hpp"

#include <sys/socket.h>

#include <chrono>

namespace kheops {

namespace {

/// How long after its deadline a request's answer may still be written. It is usually a 503, and a
/// peer that reads receives it at once.
constexpr std::chrono::milliseconds kWriteGrace(500);

/// An overdue request counts as stuck after this time. A library call without a timeout, such as
/// libpq's lookup of a host name, takes less. The watchdog waits for its interval in addition.
constexpr std::chrono::seconds kStuckAfter(10);

}  // namespace

void ActiveRequest::begin(int connection, Deadline deadline) {
    const std::lock_guard lock(mutex_);
    connection_ = connection;
    overdue_ = deadline.end() + kWriteGrace;
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

bool ActiveRequest::is_active() const {
    const std::lock_guard lock(mutex_);
    return overdue_.has_value();
}

bool ActiveRequest::is_stuck(Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    return overdue_ && now >= *overdue_ + kStuckAfter;
}

}  // namespace kheops
