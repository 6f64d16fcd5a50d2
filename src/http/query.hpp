// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kheops {

/// The value of the first parameter of that name in a query string
/// (`application/x-www-form-urlencoded`: `&` separates, `+` is a space, names are encoded too), as
/// decoded octets. A `%` that two hexadecimal digits do not follow stands for itself. A parameter
/// without `=` has the empty value. Nothing when there is none of that name.
[[nodiscard]] std::optional<std::string> query_parameter(std::string_view query,
                                                         std::string_view name);

}  // namespace kheops
