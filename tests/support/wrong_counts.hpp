// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// The webhooks whose count in sql/accelerate.sql's tables differs from the number of their
/// triggers (tests/support/wrong_counts.sql); empty if there are none.
[[nodiscard]] std::string wrong_counts(TestConnection& connection);

}  // namespace kheops::test
