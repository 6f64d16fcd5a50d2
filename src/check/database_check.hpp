// SPDX-License-Identifier: MIT
#pragma once

#include "check/finding.hpp"
#include "database/connect.hpp"

namespace kheops {

/// Looks at the database as the worker would use it (contract section 11): each host, the role, the
/// statement, the connections left for `threads` serving threads, the search path and
/// sql/accelerate.sql. Changes nothing. Each step takes one budget at most, except name lookups by
/// libpq. \pre conninfo_error() returns std::nullopt.
void check_database(const DatabaseSettings& settings, unsigned threads, const Report& report);

}  // namespace kheops
