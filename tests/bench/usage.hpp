// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace kheops::bench {

/// CPU time that a process and all its descendants have used so far, in seconds: of those that run,
/// to the nanosecond; of those that ended, in the hundredths of proc_pid_stat(5). Threads that have
/// ended in a process that runs are not counted.
[[nodiscard]] double cpu_seconds(pid_t process);

/// Resident memory of a process, what it shares with others included.
[[nodiscard]] double resident_mebibytes(pid_t process);

}  // namespace kheops::bench
