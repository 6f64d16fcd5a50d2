// SPDX-License-Identifier: MIT
#include "server/admission.hpp"

#include <algorithm>

namespace kheops {

void AdmissionControl::on_taken(Clock::time_point queued, Clock::time_point now, std::size_t left) {
    constexpr int kWeight = 8;
    time_at_front_ += (now - std::max(last_taken_, queued) - time_at_front_) / kWeight;
    last_taken_ = now;
    if (left == 0) {
        time_at_front_ = {};
    }
}

Clock::duration AdmissionControl::expected_wait(std::size_t waiting, Clock::time_point oldest,
                                                Clock::time_point now) const {
    if (waiting == 0) {
        return {};
    }
    // While no thread takes a request, only the age of the front request counts.
    return std::max(time_at_front_ * static_cast<Clock::rep>(waiting), now - oldest);
}

}  // namespace kheops
