// SPDX-License-Identifier: MIT
#include "key_times.hpp"

namespace kheops {

constexpr KeyTimes kKeyTimes = {
    .cool_down = std::chrono::seconds(10),
    .min_refresh = std::chrono::minutes(5),
    .max_refresh = std::chrono::hours(1),
    .fetch_timeout = std::chrono::seconds(10),
};

}  // namespace kheops
