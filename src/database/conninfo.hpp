// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "database/connect.hpp"
#include "database/connection.hpp"

namespace kheops {

/// One of the hosts that a connection string, the environment or a service file names.
struct Host {
    std::string name;     ///< or the directory of a socket; may be empty
    std::string address;  ///< numeric, which spares looking the name up; may be empty
    std::string port;     ///< may be empty

    [[nodiscard]] const std::string& address_or_name() const {
        return name.empty() ? address : name;
    }
    bool operator==(const Host&) const = default;
};

/// Begins to connect to these hosts, or, where there are none, to those of the settings. Never
/// null. Throws std::bad_alloc.
[[nodiscard]] PgConnection start_connecting(const DatabaseSettings& settings,
                                            const std::vector<Host>& hosts);

/// The hosts that the connection chooses among. None where libpq refuses the lists, or fills gaps
/// in them in its own way: then it alone chooses.
[[nodiscard]] std::vector<Host> hosts_of(pg_conn* connection);

}  // namespace kheops
