// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// What is asked of sql/list_webhooks.sql.
struct ListQuestion {
    std::string sub;
    std::string album;
    std::optional<std::string> url = {};
    std::optional<std::int64_t> limit = {};
    std::int64_t offset = 0;
};

/// Prepares the statement, read from its file, on this connection, where its plan is the generic
/// one from then on.
void prepare_list(TestConnection& connection);

/// Runs it.
[[nodiscard]] Rows list(TestConnection& connection, const ListQuestion& question);

/// How many blocks of shared memory it looks at; what PostgreSQL says of its plan goes to `plan`.
[[nodiscard]] std::int64_t blocks_for_list(TestConnection& connection, const ListQuestion& question,
                                           std::string& plan);

}  // namespace kheops::test
