// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "descriptor.hpp"

namespace kheops::test {

// All of these set close-on-exec and throw std::system_error on failure.

/// Listens on a Unix socket at `path`; replaces a file that exists there.
[[nodiscard]] Descriptor listen_unix(const std::string& path);

/// Connects to the Unix socket at `path`.
[[nodiscard]] Descriptor connect_unix(const std::string& path);

/// Sends `octets` to the Unix socket at `path` and returns what comes until the peer closes the
/// connection.
[[nodiscard]] std::string exchange_unix(const std::string& path, const std::string& octets);

/// A TCP socket bound to an IPv4 address, not listening yet; port 0 means a free one. Several can
/// share a port (SO_REUSEPORT).
[[nodiscard]] Descriptor bind_tcp(const std::string& address, std::uint16_t port = 0);
[[nodiscard]] std::uint16_t port_of(const Descriptor& socket);

/// What is written to one end is read from the other.
struct Ends {
    Descriptor writing;
    Descriptor reading;
};

[[nodiscard]] Ends make_pipe();
[[nodiscard]] Ends make_socket_pair();

}  // namespace kheops::test
