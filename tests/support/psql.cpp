// SPDX-License-Identifier: MIT
#include "support/psql.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <sstream>

namespace kheops::test {

Outcome run(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) {
        throw std::runtime_error("cannot run " + command);
    }
    Outcome outcome{};
    std::array<char, 4096> buffer{};
    for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        outcome.output.append(buffer.data(), n);
    }
    outcome.status = WEXITSTATUS(pclose(pipe));
    return outcome;
}

std::string client(const std::string& program, const TestDatabase& database,
                   const std::string& user) {
    return program + " -h '" + database.host() + "' -p 5432 -U " + user + " -d " + database.name();
}

Outcome run_script(const std::string& file, const TestDatabase& database, const std::string& user) {
    return run(client("psql", database, user) + " -X -v ON_ERROR_STOP=1 -f '" + KHEOPS_SOURCE_DIR +
               "/" + file + "'");
}

void expect_script(const std::string& file, const TestDatabase& database, const std::string& says,
                   const std::string& user) {
    const Outcome outcome = run_script(file, database, user);
    EXPECT_EQ(outcome.status, 0) << file << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(says), std::string::npos) << file << "\n" << outcome.output;
    EXPECT_EQ(outcome.output.find("WARNING"), std::string::npos) << file << "\n" << outcome.output;
}

std::string described(const TestDatabase& database) {
    const Outcome dump = run(client("pg_dump -s -C", database));
    EXPECT_EQ(dump.status, 0) << dump.output;
    std::istringstream lines(dump.output);
    std::string all;
    for (std::string line; std::getline(lines, line);) {
        // A new key in every dump.
        if (line.find("restrict ") == std::string::npos) {
            all += line + "\n";
        }
    }
    return all;
}

}  // namespace kheops::test
