// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace kheops::bench {

/// The CPU time in seconds that a process and its descendants have used so far. It is exact to the
/// nanosecond for running threads, and to 10 ms for processes that have ended (proc_pid_stat(5)).
/// Ended threads of a running process are not counted.
[[nodiscard]] double cpu_seconds(pid_t process);

/// The resident memory of a process, including memory that it shares with other processes.
[[nodiscard]] double resident_mebibytes(pid_t process);

}  // namespace kheops::bench
