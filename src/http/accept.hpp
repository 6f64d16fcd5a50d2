// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

namespace kheops {

/// Whether the header Accept allows `application/json` (RFC 9110 section 12.5.1): the most specific
/// of the ranges that match decides, by a weight above 0; among equally specific ones the highest
/// weight counts. Parameters other than `q` do not matter. An empty header is an absent one and
/// allows everything. Nothing when the header cannot be parsed.
[[nodiscard]] std::optional<bool> accepts_json(std::string_view header);

}  // namespace kheops
