// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kheops {

/// Returns the decoded value of the first parameter `name` in a query string
/// (`application/x-www-form-urlencoded`: `&` separates, `+` is a space, names are encoded too). The
/// value may be any octets. A `%` without two hexadecimal digits is kept. A parameter without `=`
/// has an empty value. Returns std::nullopt if there is no such parameter.
[[nodiscard]] std::optional<std::string> query_parameter(std::string_view query,
                                                         std::string_view name);

/// Returns the query without all parameters `name`. The others stay as sent, in their order.
[[nodiscard]] std::string query_without(std::string_view query, std::string_view name);

}  // namespace kheops
