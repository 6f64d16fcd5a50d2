// SPDX-License-Identifier: MIT
#include "support/wrong_counts.hpp"

#include "support/files.hpp"

namespace kheops::test {

std::string wrong_counts(TestConnection& connection) {
    static const std::string statement = read_source("tests/support/wrong_counts.sql");
    return connection.execute(statement).dump();
}

}  // namespace kheops::test
