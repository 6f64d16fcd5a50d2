// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "webhook.hpp"

namespace kheops {

/// Returns the response body: a compact JSON array with members in the order of contract section 4.
[[nodiscard]] std::string to_json(const std::vector<Webhook>& webhooks);

}  // namespace kheops
