// SPDX-License-Identifier: MIT
#include "regular_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace kheops {

namespace {

[[noreturn]] void fail(const char* what) {
    throw FileError(std::string(what) + ": " + std::generic_category().message(errno),
                    errno == ENOENT);
}

}  // namespace

RegularFile::RegularFile(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (descriptor_.number() < 0) {
        fail("cannot be opened");
    }
    if (::fstat(descriptor_.number(), &status_) != 0) {
        fail("cannot be read");
    }
    if (!S_ISREG(status_.st_mode)) {
        throw FileError("is not a regular file", false);
    }
}

std::string RegularFile::read(std::size_t max_size) const {
    // Do not rely on st_size: it is 0 in /proc, and another process may write to the file.
    std::string text;
    std::array<char, 16384> part{};
    for (;;) {
        const ssize_t count = ::read(descriptor_.number(), part.data(), part.size());
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            fail("cannot be read");
        }
        if (count == 0) {
            return text;
        }
        text.append(part.data(), static_cast<std::size_t>(count));
        if (text.size() > max_size) {
            throw FileError("is longer than " + std::to_string(max_size) + " octets", false);
        }
    }
}

}  // namespace kheops
