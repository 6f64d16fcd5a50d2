// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

struct Outcome {
    int status;
    std::string output;  ///< standard output and standard error
};

/// The start of a client's command line: the program and its connection options.
[[nodiscard]] std::string client_command(const std::string& program, const TestDatabase& database,
                                         const std::string& user = "postgres");

/// Runs a shell command and waits for its end.
Outcome run(const std::string& command);

/// Runs an SQL file with psql, as its header says. The path is relative to the source tree's root.
Outcome run_script(const std::string& file, const TestDatabase& database,
                   const std::string& user = "postgres");

/// The same; expects that it succeeds without a warning and that its output contains `expected`.
void expect_script(const std::string& file, const TestDatabase& database,
                   const std::string& expected, const std::string& user = "postgres");

/// The same; expects that psql stops at an error (exit status 3) and that its output contains
/// `reason`.
void expect_refused(const std::string& file, const TestDatabase& database,
                    const std::string& reason, const std::string& user = "postgres");

/// Whether the installed pg_dump can read this server; it rejects a newer one.
[[nodiscard]] bool can_dump(const TestDatabase& database);

/// The definitions, owners and rights of all objects in the database and of the database itself.
[[nodiscard]] std::string describe(const TestDatabase& database);

}  // namespace kheops::test
