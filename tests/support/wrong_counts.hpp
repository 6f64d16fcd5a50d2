// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/database.hpp"

namespace kheops::test {

/// The webhooks whose count, as sql/accelerate.sql keeps it in this database, is not the number of
/// their triggers; empty when there are none. See tests/support/wrong_counts.sql.
[[nodiscard]] std::string wrong_counts(TestConnection& connection);

}  // namespace kheops::test
