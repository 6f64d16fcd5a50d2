// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "database/connection.hpp"
#include "deadline.hpp"

namespace kheops {

/// How to reach the database (contract section 7).
struct DatabaseSettings {
    /// libpq connection string or URI. If empty, libpq uses its `PG*` variables and files.
    std::string connection;
    /// Override the connection string unless empty.
    std::string name;
    std::string user;
    /// Its first line is the password, read at each connect, so that it can change. May be empty.
    std::string password_file;
    /// A request's budget, above 0. The server cancels a statement that runs longer.
    std::chrono::milliseconds budget{5000};
};

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

/// What the settings name, together with libpq's environment, files and defaults.
struct DatabaseTarget {
    std::vector<Host> hosts;  ///< empty if libpq fills gaps in the list
    std::string user;
    std::string database;
};

/// Connects to one of the hosts of the settings and sets up the session. Skips a host that does not
/// answer within its share of the time or closes the connection early; libpq decides which hosts
/// are acceptable (target_session_attrs). Throws DatabaseError with the reason for each failed
/// host. Host name lookups by libpq may block beyond the deadline and after the peer hung up;
/// `hostaddr` avoids them.
[[nodiscard]] std::unique_ptr<Connection> connect(const DatabaseSettings& settings,
                                                  Deadline deadline);

/// Connects as connect() does, but to `host` only, whatever target_session_attrs demands.
[[nodiscard]] std::unique_ptr<Connection> connect_to_host(const DatabaseSettings& settings,
                                                          const Host& host, Deadline deadline);

/// Neither connects nor resolves names. \pre conninfo_error() returns std::nullopt.
[[nodiscard]] DatabaseTarget target_of(const DatabaseSettings& settings);

/// Returns why libpq would reject these settings together with its environment and files;
/// std::nullopt if it would accept them. Neither connects nor resolves names. Does not quote the
/// values of options, because one could be a password.
[[nodiscard]] std::optional<std::string> conninfo_error(const DatabaseSettings& settings);

}  // namespace kheops
