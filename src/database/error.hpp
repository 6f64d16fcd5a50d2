// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace kheops {

/// The database did not answer. what() is for the log: it names what is missing, never a statement
/// or a value.
class DatabaseError : public std::runtime_error {
  public:
    enum class Kind {
        unreachable,  ///< no connection, or it was lost
        invalidated,  ///< the prepared statement no longer fits the schema; a new connection helps
        unfit,      ///< a table, a column or a right is missing, or the statement failed otherwise
        late,       ///< the deadline passed, or the server's own time limit
        abandoned,  ///< the caller hung up: nobody waits for the answer any more
    };

    DatabaseError(Kind kind, std::string sqlstate, const std::string& message)
        : std::runtime_error(message), kind_(kind), sqlstate_(std::move(sqlstate)) {}

    [[nodiscard]] Kind kind() const { return kind_; }
    /// Five characters (PostgreSQL appendix A), or empty where the server said nothing.
    [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }

  private:
    Kind kind_;
    std::string sqlstate_;
};

}  // namespace kheops
