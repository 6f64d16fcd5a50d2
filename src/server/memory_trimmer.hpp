// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>

namespace kheops {

/// Returns the memory of large answers to the kernel 2 s later, once for all of them. Doing this
/// after each answer would cost more: the next large answer would get its memory page by page,
/// which takes longer than the rest of its work in this process. Safe to use from several threads.
class MemoryTrimmer {
  public:
    /// Sets, for the whole process, how much freed memory malloc keeps. Construct it before the
    /// serving threads start.
    MemoryTrimmer();

    /// Records that a thread wrote an answer of that size.
    void on_answer(std::size_t octets);

    /// Runs in a thread of its own, until `stop` is requested.
    void run(const std::stop_token& stop);

  private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool wanted_ = false;
};

}  // namespace kheops
