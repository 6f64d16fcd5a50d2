// SPDX-License-Identifier: MIT
#include "bench/usage.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace kheops::bench {

namespace {

std::filesystem::path directory_of(pid_t process) {
    return "/proc/" + std::to_string(process);
}

/// Fields 16 and 17 of proc_pid_stat(5), in seconds: the CPU time of children that have ended.
double seconds_of_ended_children(pid_t process) {
    std::ifstream stat(directory_of(process) / "stat");
    std::string skipped;
    std::getline(stat, skipped, ')');  // the name may hold spaces
    for (int field = 3; field < 16; ++field) {
        stat >> skipped;
    }
    double user = 0;
    double system = 0;
    stat >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

double cpu_seconds(pid_t process) {
    double sum = seconds_of_ended_children(process);
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator(directory_of(process) / "task", gone)) {
        constexpr double kNanoseconds = 1e9;
        double ran = 0;
        std::ifstream(thread.path() / "schedstat") >> ran;
        sum += ran / kNanoseconds;
        std::ifstream children(thread.path() / "children");
        for (pid_t child = 0; children >> child;) {
            sum += cpu_seconds(child);
        }
    }
    return sum;
}

double resident_mebibytes(pid_t process) {
    std::ifstream statm(directory_of(process) / "statm");
    double total = 0;
    double resident = 0;
    statm >> total >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

}  // namespace kheops::bench
