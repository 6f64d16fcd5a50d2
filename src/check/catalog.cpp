// SPDX-License-Identifier: MIT
#include "check/catalog.hpp"

namespace kheops {

void Catalog::read(const Statement& statement, const Parameters& parameters, const Reader& reader) {
    const Deadline end = deadline();
    // A hot standby rejects SERIALIZABLE, even as the default.
    connection_.execute(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; "
        "SET LOCAL search_path = pg_catalog, pg_temp",
        2, end);
    try {
        connection_.run(statement, parameters, end, reader);
    } catch (const DatabaseError&) {
        if (connection_.is_usable()) {
            connection_.execute("ROLLBACK", 1, end);
        }
        throw;
    }
    connection_.execute("COMMIT", 1, end);
}

}  // namespace kheops
