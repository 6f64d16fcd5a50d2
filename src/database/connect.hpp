// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "database/connection.hpp"
#include "deadline.hpp"

namespace kheops {

/// How to reach the database (contract section 7).
struct DatabaseSettings {
    /// libpq's connection string or URI; empty: libpq's own `PG*` variables and files.
    std::string connection;
    /// These win over the connection string where they are not empty.
    std::string name;
    std::string user;
    /// Read at each connect, so that a changed password needs no restart; empty: none.
    std::string password_file;
    /// A request's budget, above 0: the server ends a statement that runs longer.
    std::chrono::milliseconds budget{5000};
};

/// Makes a connection to one of the hosts that the settings name, and sets its session up. A host
/// that is silent for its share of the time, or ends the connection before it is made, is skipped;
/// which of the others will do is libpq's business (target_session_attrs). Throws DatabaseError
/// with the reason of each host. A host's name is looked up by libpq, which waits as long as the
/// resolver does, beyond the deadline and after the caller hung up; `hostaddr` spares that.
[[nodiscard]] std::unique_ptr<Connection> connect(const DatabaseSettings& settings,
                                                  Deadline deadline);

/// Why libpq would refuse to connect with these settings and what its environment and files add to
/// them; nothing where it would not. Connects to nothing and looks no name up. The values of
/// options are not shown: one could hold a password.
[[nodiscard]] std::optional<std::string> conninfo_error(const DatabaseSettings& settings);

}  // namespace kheops
