// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace kheops::test {

/// Waits until `condition()` is true. Throws std::runtime_error with `what` after 60 s, more than
/// any test needs.
template <typename Condition>
void await(const std::string& what, const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            throw std::runtime_error("timed out waiting until " + what);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

}  // namespace kheops::test
