// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "check/catalog.hpp"
#include "check/database_role.hpp"
#include "check/finding.hpp"

namespace kheops {

/// Reports whether sql/accelerate.sql is installed, whole, of this version and in force. `count`
/// is what try_statement() returns for kListWebhooks. Throws DatabaseError.
void check_acceleration(Catalog& catalog, const Session& session, std::int64_t count,
                        const Report& report);

}  // namespace kheops
