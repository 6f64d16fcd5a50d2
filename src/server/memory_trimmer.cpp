// SPDX-License-Identifier: MIT
#include "server/memory_trimmer.hpp"

#include <malloc.h>

#include <chrono>

namespace kheops {

namespace {

/// 130 to 400 webhooks, by their triggers. malloc reuses the memory of smaller answers.
constexpr std::size_t kLargeAnswer = std::size_t{64} * 1024;

/// How long freed memory is kept for the next large answer.
constexpr std::chrono::seconds kTrimDelay(2);

}  // namespace

MemoryTrimmer::MemoryTrimmer() {
    // An answer of a thousand webhooks needs about 1 MiB. If more is free at the top of an arena,
    // free() returns it to the kernel; malloc_trim() returns the free memory below.
    constexpr int kKeptByEachThread = 1024 * 1024;
    // There are no other threads yet. NOLINTBEGIN(concurrency-mt-unsafe)
    ::mallopt(M_TRIM_THRESHOLD, kKeptByEachThread);
    ::mallopt(M_MMAP_THRESHOLD, kKeptByEachThread);
    // NOLINTEND(concurrency-mt-unsafe)
}

void MemoryTrimmer::on_answer(std::size_t octets) {
    if (octets < kLargeAnswer) {
        return;
    }
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    changed_.notify_one();
}

void MemoryTrimmer::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return wanted_; })) {
        changed_.wait_for(lock, stop, kTrimDelay, [] { return false; });
        wanted_ = false;
        lock.unlock();
        ::malloc_trim(0);
        lock.lock();
    }
}

}  // namespace kheops
