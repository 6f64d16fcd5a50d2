// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "database/connect.hpp"
#include "database/connection.hpp"

namespace kheops {

/// One host of the connection string, the environment or a service file.
struct Host {
    std::string name;     ///< or directory of a Unix socket; may be empty
    std::string address;  ///< numeric, avoids a name lookup; may be empty
    std::string port;     ///< may be empty

    [[nodiscard]] const std::string& address_or_name() const {
        return name.empty() ? address : name;
    }
    bool operator==(const Host&) const = default;
};

/// Starts a connection to `hosts`, or to the hosts of the settings if empty. Never null. Throws
/// std::bad_alloc.
[[nodiscard]] PgConnection start_connecting(const DatabaseSettings& settings,
                                            const std::vector<Host>& hosts);

/// Returns the hosts that the connection may use. Empty if libpq rejects the lists or fills gaps in
/// them; then libpq alone chooses a host.
[[nodiscard]] std::vector<Host> hosts_of(pg_conn* connection);

}  // namespace kheops
