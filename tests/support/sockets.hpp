// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "descriptor.hpp"

namespace kheops::test {

/// A Unix socket that listens at `path`, replacing a socket that is there already; not passed on to
/// child processes unless asked for. Throws std::system_error.
[[nodiscard]] Descriptor listen_unix(const std::string& path);

/// A connection to the Unix socket that listens at `path`. Throws std::system_error.
[[nodiscard]] Descriptor connect_unix(const std::string& path);

/// Two ends: what is written to one is read from the other.
struct Ends {
    Descriptor writing;
    Descriptor reading;
};

/// Throw std::system_error.
[[nodiscard]] Ends make_pipe();
[[nodiscard]] Ends make_socket_pair();

}  // namespace kheops::test
