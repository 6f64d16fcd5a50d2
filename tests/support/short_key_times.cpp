// SPDX-License-Identifier: MIT
#include "key_times.hpp"

namespace kheops {

using std::chrono_literals::operator""ms;

// Linked in place of src/key_times.cpp: the same order of sizes, in moments that a test can await.
const KeyTimes kKeyTimes = {
    .cool_down = 500ms,
    .min_refresh = 1000ms,
    .max_refresh = 4000ms,
    .fetch_timeout = 2000ms,
};

}  // namespace kheops
