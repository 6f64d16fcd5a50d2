// SPDX-License-Identifier: MIT

// Tests whether libfcgi writes beyond the memory that it allocates for a parameter whose name and
// value claim lengths of 2 GiB (CVE-2025-23016): old versions add the two lengths and 2 in an int,
// which gives 0. CMake runs it; exit status 0: it does not, 1: it does, 2: unknown.

#include <fcgiapp.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace {

constexpr std::size_t kGuard = 4096;  // octets behind each allocation that nobody may write
constexpr unsigned char kUntouched = 0xA5;

alignas(std::max_align_t) unsigned char arena[4 << 20];
std::size_t used = 0;

struct Allocation {
    std::size_t begin;
    std::size_t size;
};
Allocation allocations[1024];
std::size_t allocated = 0;

[[noreturn]] void finish(int status) {
    ::_exit(status);
}

bool is_overrun(const Allocation& allocation) {
    const unsigned char* guard = arena + allocation.begin + allocation.size;
    for (std::size_t i = 0; i < kGuard; ++i) {
        if (guard[i] != kUntouched) {
            return true;
        }
    }
    return false;
}

}  // namespace

// These replace the C library's allocation functions, for libfcgi too. Freed memory is not reused.
extern "C" {

void* malloc(std::size_t size) {
    if (size > std::size_t{1} << 30U) {
        finish(0);  // libfcgi has computed the right size
    }
    if (used == 0) {
        std::memset(arena, kUntouched, sizeof arena);
    }
    constexpr std::size_t kAlign = alignof(std::max_align_t);
    const std::size_t taken = (size + kGuard + kAlign - 1) / kAlign * kAlign;
    if (taken > sizeof arena - used || allocated == sizeof allocations / sizeof *allocations) {
        finish(2);
    }
    allocations[allocated++] = {used, size};
    void* memory = arena + used;
    used += taken;
    return memory;
}

void free(void* /*memory*/) {}

void* calloc(std::size_t count, std::size_t size) {
    void* memory = malloc(count * size);
    return std::memset(memory, 0, count * size);
}

void* realloc(void* old, std::size_t size) {
    void* memory = malloc(size);
    for (std::size_t i = 0; i < allocated && old != nullptr; ++i) {
        if (arena + allocations[i].begin == old) {
            std::memcpy(memory, old, allocations[i].size < size ? allocations[i].size : size);
        }
    }
    return memory;
}

}  // extern "C"

int main() {
    // Begins a responder's request, then sends one parameter, both lengths 0x7FFFFFFF, and the
    // beginning of its name.
    std::string octets("\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0", 16);
    octets += std::string("\x01\x04\0\x01\x02\x08\0\0", 8);
    octets += std::string(8, '\xFF') + std::string(512, 'n');
    octets += std::string("\x01\x04\0\x01\0\0\0\0", 8);

    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
        ::write(ends[0], octets.data(), octets.size()) != static_cast<ssize_t>(octets.size()) ||
        ::shutdown(ends[0], SHUT_WR) != 0 || FCGX_Init() != 0) {
        finish(2);
    }
    FCGX_Request request;
    FCGX_InitRequest(&request, -1, 0);
    request.ipcFd = ends[1];
    request.keepConnection = 1;  // otherwise it closes the connection and accepts another
    request.detached = 1;
    const std::size_t before = allocated;
    FCGX_Accept_r(&request);
    if (allocated == before) {
        finish(2);  // libfcgi has read nothing
    }
    for (std::size_t i = 0; i < allocated; ++i) {
        if (is_overrun(allocations[i])) {
            finish(1);
        }
    }
    finish(0);
}
