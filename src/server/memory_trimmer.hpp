// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>

namespace kheops {

/// Gives the memory that large answers needed back to the kernel: soon after them, and once for
/// many. After each, the next large answer would have to fetch it again page by page, which costs
/// more than the rest of the answer's work in this process. Safe to use from several threads.
class MemoryTrimmer {
  public:
    /// Tells the C library, for the whole process, to keep some of what is freed. To be made before
    /// the threads that serve.
    MemoryTrimmer();

    /// An answer of that many octets was written.
    void answered(std::size_t octets);

    /// For a thread of its own: gives memory back until `stop` says so.
    void run(const std::stop_token& stop);

  private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool wanted_ = false;
};

}  // namespace kheops
