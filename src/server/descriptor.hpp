// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <utility>

namespace kheops {

/// A file descriptor that closes itself. Movable, not copyable.
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

    /// Below 0 when there is none.
    [[nodiscard]] int number() const { return number_; }

    /// Gives the descriptor up without closing it.
    int release() { return std::exchange(number_, -1); }

  private:
    int number_ = -1;
};

}  // namespace kheops
