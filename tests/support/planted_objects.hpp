// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// Creates in `schema` objects that the SQL files and the program could use instead of PostgreSQL's
/// own: operators, functions, an aggregate, types and catalogs with the names used there, for all
/// argument types that occur. Each fails when used, with a message that contains "planted". The
/// connection's role need not be a superuser. In "pg_temp" it creates types and catalogs only,
/// since PostgreSQL does not search pg_temp for anything else.
void plant_objects(TestConnection& connection, const std::string& schema);

}  // namespace kheops::test
