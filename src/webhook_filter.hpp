// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "webhook.hpp"

namespace kheops {

/// Reads `limit`, `offset` and `url` of a query string (contract section 2). Throws HttpError 400
/// that names the first malformed parameter and the values that it allows.
[[nodiscard]] WebhookFilter filter_in_query(std::string_view query);

}  // namespace kheops
