// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

// Linked into a program, it stands before the C library's: libfcgi's calls come here too. Where the
// environment has STOP_AT_START, SIGTERM comes as soon as somebody has said what to do about it.
extern "C" int sigaction(int number, const struct sigaction* action,
                         struct sigaction* before) noexcept {
    const auto next = reinterpret_cast<decltype(&sigaction)>(::dlsym(RTLD_NEXT, "sigaction"));
    const int result = next(number, action, before);
    if (number == SIGTERM && action != nullptr && std::getenv("STOP_AT_START") != nullptr) {
        ::kill(::getpid(), SIGTERM);
    }
    return result;
}
