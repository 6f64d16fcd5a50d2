// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "descriptor.hpp"

namespace kheops::test {

/// systemd's end of the notification socket, whose address a service gets in NOTIFY_SOCKET.
class NotifySocket {
  public:
    /// `address` is a path, or @ and a name in the abstract namespace.
    explicit NotifySocket(const std::string& address);

    /// Waits for the next message; throws std::system_error after 30 s.
    [[nodiscard]] std::string receive();
    /// Returns the next message without waiting; empty if there is none.
    [[nodiscard]] std::string receive_now();

  private:
    std::string receive_with(int flags);

    Descriptor socket_;
};

}  // namespace kheops::test
