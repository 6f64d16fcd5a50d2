// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kheops {

/// SQLSTATE of a server, or a pooler, that has no connection left for a role, a database or anyone.
inline constexpr std::string_view kTooManyConnections = "53300";

/// SQLSTATE of a statement that has waited for a lock longer than lock_timeout.
inline constexpr std::string_view kLockNotAvailable = "55P03";

/// The database did not answer. what() is for the log: it names what is missing, never a statement
/// or a value. It has one line for each host that was tried in vain.
class DatabaseError : public std::runtime_error {
  public:
    enum class Kind {
        unreachable,  ///< no connection, it was lost, or the server broke the protocol
        invalidated,  ///< the prepared statement no longer fits the schema; a new connection helps
        statement_failed,  ///< a table, a column or a right is missing, or another error
        timed_out,         ///< the deadline passed, or the server's own time limit
        conflict,          ///< the server ended the statement for the sake of another one or, on a
                           ///< hot standby, of recovery; a repeat may succeed
        abandoned,         ///< the caller hung up: nobody waits for the answer any more
        untranslatable,    ///< a text that was asked for or is stored cannot be converted between
                           ///< UTF-8 and the database's encoding, or is stored as no such text
    };

    DatabaseError(Kind kind, std::string sqlstate, const std::string& message)
        : std::runtime_error(message), kind_(kind), sqlstate_(std::move(sqlstate)) {}

    [[nodiscard]] Kind kind() const { return kind_; }
    /// Five characters (PostgreSQL appendix A), or empty where the server said nothing. 08P01 is
    /// this program's own where an answer is not what was asked for, and 22021 where a text is not
    /// UTF-8.
    [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }

    [[nodiscard]] bool is_out_of_connections() const { return sqlstate_ == kTooManyConnections; }

  private:
    Kind kind_;
    std::string sqlstate_;
};

}  // namespace kheops
