// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "descriptor.hpp"

namespace kheops::test {

/// The socket on which systemd listens to a service: what NOTIFY_SOCKET names.
class NotifySocket {
  public:
    /// `address` is a path, or begins with @ and is a name without a file.
    explicit NotifySocket(const std::string& address);

    /// Waits for the next message; throws std::system_error after 30 s.
    [[nodiscard]] std::string receive();
    /// The next message if one is there; empty when there is none.
    [[nodiscard]] std::string receive_now();

  private:
    std::string receive_with(int flags);

    Descriptor socket_;
};

}  // namespace kheops::test
