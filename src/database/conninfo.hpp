// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "database/connect.hpp"
#include "database/connection.hpp"

namespace kheops {

/// Starts a connection to `hosts`, or to the hosts of the settings if empty. Never null. Throws
/// std::bad_alloc.
[[nodiscard]] PgConnection start_connecting(const DatabaseSettings& settings,
                                            const std::vector<Host>& hosts);

/// Starts a connection to `host`, whatever target_session_attrs demands. Never null. Throws
/// std::bad_alloc.
[[nodiscard]] PgConnection start_connecting_to(const DatabaseSettings& settings, const Host& host);

/// Returns why a file of DatabaseSettings::password_file gives no password; empty if it gives one.
[[nodiscard]] std::string password_file_error(const std::string& file);

/// Returns the hosts that the connection may use. Empty if libpq rejects the lists or fills gaps in
/// them; then libpq alone chooses a host.
[[nodiscard]] std::vector<Host> hosts_of(pg_conn* connection);

}  // namespace kheops
