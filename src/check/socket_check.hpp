// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "check/finding.hpp"

namespace kheops {

/// Looks at the socket of the worker, as far as it is known: descriptor 0 if it is a listening
/// socket, else the sockets of kheops-webhooks.socket if systemd starts that unit. Connects to
/// nothing and starts no program.
void check_socket(const Report& report);

/// Looks at the Unix sockets that the files of a systemd unit name: the unit file and its drop-ins,
/// in the order in which systemd reads them. Files that cannot be read do not count. `processes` is
/// /proc, where it finds the users as which nginx runs.
void check_socket_unit(const std::vector<std::string>& files, const std::string& processes,
                       const Report& report);

}  // namespace kheops
