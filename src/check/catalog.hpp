// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "database/connection.hpp"
#include "deadline.hpp"

namespace kheops {

/// Reads the system catalogs through a connection of the worker. Each statement has one budget.
class Catalog {
  public:
    /// `connection` must outlive this object.
    Catalog(Connection& connection, std::chrono::milliseconds budget)
        : connection_(connection), budget_(budget) {}

    /// Runs the statement in a read-only transaction in which only PostgreSQL's own objects are
    /// found (CVE-2018-1058). Throws DatabaseError, as a pooler in statement mode makes it do.
    void read(const Statement& statement, const Parameters& parameters, const Reader& reader);

    [[nodiscard]] Connection& connection() { return connection_; }
    [[nodiscard]] Deadline deadline() const { return Deadline(Clock::now() + budget_); }

  private:
    Connection& connection_;
    std::chrono::milliseconds budget_;
};

}  // namespace kheops
