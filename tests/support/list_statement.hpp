// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// The files of the two statements that answer a ListRequest.
constexpr const char* kStock = KHEOPS_SOURCE_DIR "/sql/list_webhooks.sql";
constexpr const char* kAccelerated = KHEOPS_BINARY_DIR "/sql/list_webhooks_accelerated.sql";

/// The parameters of these statements.
struct ListRequest {
    std::string sub;
    std::string album;
    std::optional<std::string> url = {};
    std::optional<std::int64_t> limit = {};
    std::int64_t offset = 0;
};

/// Reads one of these statements from its file and prepares it on this connection, with the
/// settings of the program's sessions. Deallocates all statements prepared earlier.
void prepare_list(TestConnection& connection, const std::string& statement = kStock);

/// Runs the prepared statement.
[[nodiscard]] Rows list(TestConnection& connection, const ListRequest& request);

/// The number of shared buffer blocks that a statement reads; writes the output of EXPLAIN to
/// `plan`.
[[nodiscard]] std::int64_t blocks_of(TestConnection& connection, const std::string& statement,
                                     std::string& plan);

/// The same for the prepared statement.
[[nodiscard]] std::int64_t blocks_for_list(TestConnection& connection, const ListRequest& request,
                                           std::string& plan);

}  // namespace kheops::test
