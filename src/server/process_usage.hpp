// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace kheops {

/// What this process uses of the machine. A number that the kernel does not tell is 0.
struct ProcessUsage {
    double processor_seconds = 0;       ///< of all threads, user and system
    std::uint64_t resident_memory = 0;  ///< octets
    std::uint64_t virtual_memory = 0;   ///< octets
    std::size_t open_descriptors = 0;
    std::uint64_t max_descriptors = 0;  ///< the soft limit
};

/// Reads it from the kernel; /proc must be mounted.
[[nodiscard]] ProcessUsage process_usage();

}  // namespace kheops
