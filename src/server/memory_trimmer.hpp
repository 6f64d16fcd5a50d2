// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>

namespace kheops {

/// Gives the memory that large answers needed back to the kernel, 2 s after them and once for many.
/// Doing so after each would cost more: the next large answer would get its memory page by page,
/// which takes longer than the rest of its work in this process. Safe to use from several threads.
class MemoryTrimmer {
  public:
    /// Sets, for the whole process, how much freed memory malloc keeps. Construct it before the
    /// serving threads start.
    MemoryTrimmer();

    /// Records that an answer of that many octets was written.
    void on_answer(std::size_t octets);

    /// Runs in a thread of its own, until `stop` is requested.
    void run(const std::stop_token& stop);

  private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool wanted_ = false;
};

}  // namespace kheops
