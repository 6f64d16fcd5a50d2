// SPDX-License-Identifier: MIT
#include "key_times.hpp"

namespace kheops {

using std::chrono_literals::operator""ms;

// Linked in place of src/key_times.cpp: times in the same order, short enough for tests.
const KeyTimes kKeyTimes = {
    .cool_down = 500ms,
    .min_refresh = 1000ms,
    .max_refresh = 4000ms,
    .fetch_timeout = 2000ms,
};

}  // namespace kheops
