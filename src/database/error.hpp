// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kheops {

/// SQLSTATE when the server or pooler has reached a connection limit.
inline constexpr std::string_view kTooManyConnections = "53300";

/// SQLSTATE when a statement has waited for a lock longer than lock_timeout.
inline constexpr std::string_view kLockNotAvailable = "55P03";

/// A failure of the database. what() is for the log: it names what is missing, never a statement or
/// a value, and has one line for each host that failed.
class DatabaseError : public std::runtime_error {
  public:
    enum class Kind {
        unreachable,  ///< no connection, a lost one, or a violation of the protocol
        invalidated,  ///< the prepared statement no longer fits the schema; a new connection helps
        statement_failed,  ///< a table, column or right is missing, or another error
        timed_out,         ///< the deadline passed, or a timeout of the server
        conflict,          ///< the server rolled back the statement: deadlock or, on a hot standby,
                           ///< conflict with recovery; a repeat may succeed
        abandoned,         ///< the peer hung up, so the answer is no longer needed
        untranslatable,    ///< a requested or stored text cannot be converted between UTF-8 and
                           ///< the database's encoding, or the stored text is invalid
    };

    DatabaseError(Kind kind, std::string sqlstate, const std::string& message)
        : std::runtime_error(message), kind_(kind), sqlstate_(std::move(sqlstate)) {}

    [[nodiscard]] Kind kind() const { return kind_; }
    /// Five characters (PostgreSQL appendix A); empty if the server reported none. This program
    /// itself uses 08P01 for an unexpected answer and 22021 for a text that is not UTF-8.
    [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }

    [[nodiscard]] bool is_out_of_connections() const { return sqlstate_ == kTooManyConnections; }

  private:
    Kind kind_;
    std::string sqlstate_;
};

}  // namespace kheops
