// SPDX-License-Identifier: MIT
#include "key_times.hpp"

namespace kheops {

constexpr KeyTimes kKeyTimes = {
    .cool_down = std::chrono::seconds(10),
    .shortest_refresh = std::chrono::minutes(5),
    .longest_refresh = std::chrono::hours(1),
    .download = std::chrono::seconds(10),
};

}  // namespace kheops
