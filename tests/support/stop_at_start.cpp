// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

// Replaces the C library's function in the program it is linked into, for libfcgi too. If
// STOP_AT_START is set, the process gets SIGTERM as soon as it has set a handler for it.
extern "C" int sigaction(int number, const struct sigaction* action,
                         struct sigaction* before) noexcept {
    const auto next = reinterpret_cast<decltype(&sigaction)>(::dlsym(RTLD_NEXT, "sigaction"));
    const int result = next(number, action, before);
    if (number == SIGTERM && action != nullptr && std::getenv("STOP_AT_START") != nullptr) {
        ::kill(::getpid(), SIGTERM);
    }
    return result;
}
