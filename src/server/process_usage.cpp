// SPDX-License-Identifier: MIT
#include "server/process_usage.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace kheops {

namespace {

std::size_t open_descriptors() {
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator entry("/proc/self/fd", error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        ++count;
    }
    return count > 0 ? count - 1 : 0;  // without the one that reads the directory
}

}  // namespace

ProcessUsage process_usage() {
    ProcessUsage usage;
    timespec time = {};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0) {
        constexpr double kNanosecond = 1e-9;
        usage.processor_seconds =
            static_cast<double>(time.tv_sec) + kNanosecond * static_cast<double>(time.tv_nsec);
    }
    std::uint64_t virtual_pages = 0;
    std::uint64_t resident_pages = 0;
    if (std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages) {
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        usage.virtual_memory = virtual_pages * page;
        usage.resident_memory = resident_pages * page;
    }
    usage.open_descriptors = open_descriptors();
    rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        usage.max_descriptors = limit.rlim_cur;
    }
    return usage;
}

}  // namespace kheops
