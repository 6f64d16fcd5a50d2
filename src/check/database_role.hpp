// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "check/catalog.hpp"
#include "check/finding.hpp"

namespace kheops {

/// What the session of the worker is.
struct Session {
    std::string role;      ///< as an SQL identifier
    std::string database;  ///< as an SQL identifier
    /// The schemas that the role searches, as a PostgreSQL array.
    std::string schemas;
    /// The oids of the six tables of the list by the search path, as a PostgreSQL array; NULL for a
    /// table that is not found. The first is `users`, the fifth `webhook_triggers`.
    std::string tables;
};

/// Throws DatabaseError, as the others below do.
[[nodiscard]] Session read_session(Catalog& catalog);

/// Reports tables, columns and rights that the list needs and the role lacks. Returns whether it
/// has all.
bool check_needed_rights(Catalog& catalog, const Session& session, const Report& report);

/// Reports what the role may do although the list does not need it: read secrets or personal data,
/// write, act as other roles. Nothing if the table `users` is missing.
void check_excess_rights(Catalog& catalog, const Session& session, const Report& report);

/// Reports schemas of the search path in which others may create objects (CVE-2018-1058).
void check_search_path(Catalog& catalog, const Session& session, const Report& report);

/// Compares the connection limits of role, database and server, and the connections in use, with
/// the number of serving threads.
void check_connections(Catalog& catalog, const Session& session, unsigned threads,
                       const Report& report);

}  // namespace kheops
