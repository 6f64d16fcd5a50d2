// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// The files of the two statements that answer a ListQuestion.
constexpr const char* kStock = KHEOPS_SOURCE_DIR "/sql/list_webhooks.sql";
constexpr const char* kAccelerated = KHEOPS_BINARY_DIR "/sql/list_webhooks_accelerated.sql";

/// What is asked of them.
struct ListRequest {
    std::string sub;
    std::string album;
    std::optional<std::string> url = {};
    std::optional<std::int64_t> limit = {};
    std::int64_t offset = 0;
};

/// Prepares one of them, read from its file, on this connection, with the settings of the program's
/// sessions. An earlier one is forgotten.
void prepare_list(TestConnection& connection, const std::string& statement = kStock);

/// Runs the one that is prepared.
[[nodiscard]] Rows list(TestConnection& connection, const ListRequest& request);

/// How many blocks of shared memory a statement looks at; what PostgreSQL says of its plan goes to
/// `plan`.
[[nodiscard]] std::int64_t blocks_of(TestConnection& connection, const std::string& statement,
                                     std::string& plan);

/// The same of the one that is prepared.
[[nodiscard]] std::int64_t blocks_for_list(TestConnection& connection, const ListRequest& request,
                                           std::string& plan);

}  // namespace kheops::test
