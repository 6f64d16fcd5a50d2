// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "check/finding.hpp"
#include "database/connect.hpp"

namespace kheops {

/// Connects to one host, and reports what is there: version, primary or standby, its lag; or why
/// the worker cannot use it. Returns whether it can.
bool check_host(const DatabaseSettings& settings, const DatabaseTarget& target, const Host& host,
                const Report& report);

/// Reports the server of an established connection in the same way. `place` names it.
void check_server(Connection& connection, const DatabaseSettings& settings,
                  const std::string& place, const Report& report);

/// Connects as the worker does. Reports why and returns null if that fails.
[[nodiscard]] std::unique_ptr<Connection> connect_as_worker(const DatabaseSettings& settings,
                                                            const DatabaseTarget& target,
                                                            const Report& report);

}  // namespace kheops
