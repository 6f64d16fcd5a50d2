// SPDX-License-Identifier: MIT
#include "support/list_statement.hpp"

#include <stdexcept>

#include "support/files.hpp"

namespace kheops::test {

namespace {

std::string literal(const std::optional<std::string>& value) {
    if (!value) {
        return "NULL";
    }
    std::string quoted = "'";
    for (const char c : *value) {
        quoted += c == '\'' ? "''" : std::string(1, c);
    }
    return quoted + "'";
}

std::string call(const ListRequest& request) {
    return "EXECUTE list(" + literal(request.sub) + ", " + literal(request.album) + ", " +
           literal(request.url) + ", " + (request.limit ? std::to_string(*request.limit) : "NULL") +
           ", " + std::to_string(request.offset) + ")";
}

/// The numbers of the whole plan come first, before those of its nodes.
std::int64_t first_number(const std::string& json, const std::string& member) {
    const size_t at = json.find("\"" + member + "\": ");
    if (at == std::string::npos) {
        throw std::runtime_error("no " + member + " in the plan " + json);
    }
    return std::stoll(json.substr(at + member.size() + 4));
}

}  // namespace

void prepare_list(TestConnection& connection, const std::string& statement) {
    connection.execute(
        "DEALLOCATE ALL; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
        "SET jit = off");
    connection.execute(
        "PREPARE list(pg_catalog.text, pg_catalog.text, pg_catalog.text, bigint, bigint) AS " +
        read_file(statement));
}

Rows list(TestConnection& connection, const ListRequest& request) {
    return connection.execute(call(request));
}

std::int64_t blocks_of(TestConnection& connection, const std::string& statement,
                       std::string& plan) {
    plan = connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement).text(0, 0);
    return first_number(plan, "Shared Hit Blocks") + first_number(plan, "Shared Read Blocks");
}

std::int64_t blocks_for_list(TestConnection& connection, const ListRequest& request,
                             std::string& plan) {
    return blocks_of(connection, call(request), plan);
}

}  // namespace kheops::test
