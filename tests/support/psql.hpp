// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

struct Outcome {
    int status;
    std::string output;  ///< standard output and standard error
};

/// A client program's command line so far: the program with what leads it to this database.
[[nodiscard]] std::string client_command(const std::string& program, const TestDatabase& database,
                                         const std::string& user = "postgres");

/// Runs a shell command line and waits for its end.
Outcome run(const std::string& command);

/// Runs a file, named from the source tree's root, with psql, as its header tells an administrator
/// to.
Outcome run_script(const std::string& file, const TestDatabase& database,
                   const std::string& user = "postgres");

/// The same, and expects that it succeeds without a warning and that its output holds `says`.
void expect_script(const std::string& file, const TestDatabase& database, const std::string& says,
                   const std::string& user = "postgres");

/// Whether the installed pg_dump reads this server, which must not be newer.
[[nodiscard]] bool can_dump(const TestDatabase& database);

/// Everything in the database with its owners and rights, and those of the database itself.
[[nodiscard]] std::string describe(const TestDatabase& database);

}  // namespace kheops::test
