// SPDX-License-Identifier: MIT
#include "key_times.hpp"

namespace kheops {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

const KeyTimes kKeyTimes = {
    .cool_down = 10s,
    .shortest_refresh = 5min,
    .longest_refresh = 1h,
    .download = 10s,
};

}  // namespace kheops
