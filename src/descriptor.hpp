// SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace kheops {

/// Whether a descriptor is a listening socket, which a FastCGI worker has as descriptor 0.
[[nodiscard]] inline bool is_listening(int descriptor) {
    int listening = 0;
    socklen_t size = sizeof listening;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
           listening != 0;
}

/// Owns a file descriptor and closes it. Movable, not copyable.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }

    /// Below 0 if there is none.
    [[nodiscard]] int number() const { return number_; }

    /// Whether the peer has closed its end. A TCP peer that has closed counts as connected, because
    /// it looks like one that has only finished sending.
    [[nodiscard]] bool has_hung_up() const {
        pollfd descriptor = {.fd = number_, .events = 0, .revents = 0};
        return ::poll(&descriptor, 1, 0) > 0;
    }

    /// Whether the peer is connected and a write of a few kilobytes would not block.
    [[nodiscard]] bool is_writable() const {
        pollfd descriptor = {.fd = number_, .events = POLLOUT, .revents = 0};
        return ::poll(&descriptor, 1, 0) > 0 && descriptor.revents == POLLOUT;
    }

    /// Returns the descriptor and gives up its ownership.
    int release() { return std::exchange(number_, -1); }

  private:
    int number_ = -1;
};

}  // namespace kheops
