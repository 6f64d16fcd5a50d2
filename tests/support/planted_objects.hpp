// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// Makes in `schema`, as the role of the connection, which need be no superuser, what could be
/// taken for PostgreSQL's own by the SQL files and the program: operators, functions, an aggregate,
/// types and catalogs of the names that stand in them, for every type that occurs. Each, when used,
/// fails with a message that holds "planted". With "pg_temp" these are types and catalogs only, for
/// nothing else is looked for there.
void plant_objects(TestConnection& connection, const std::string& schema);

}  // namespace kheops::test
