// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

namespace kheops {

/// Returns whether the Accept header allows `application/json` (RFC 9110 section 12.5.1): the
/// weight of the most specific matching range must be above 0. If several ranges are equally
/// specific, the highest weight counts. Ignores parameters other than `q`. An empty header counts
/// as absent and allows everything. Returns std::nullopt if the header is malformed.
/// As in Kheops, two forms that Java's HttpURLConnection sends are valid: a lone `*` means `*/*`,
/// and a weight may be `.2`.
[[nodiscard]] std::optional<bool> accepts_json(std::string_view header);

}  // namespace kheops
