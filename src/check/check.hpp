// SPDX-License-Identifier: MIT
#pragma once

#include <ostream>
#include <string>

#include "key_times.hpp"

namespace kheops {

/// Looks at everything that a working installation needs (contract section 11) and writes one line
/// for each thing to `out`: `ok`, `warning` or `problem`, a colon, what was found, and for the
/// latter two a semicolon and what to do. Asks nothing of a running worker. Changes nothing but the
/// environment of this process, to which it adds the settings of `settings_file` (empty: none).
/// Returns whether there is no problem.
[[nodiscard]] bool check_installation(const std::string& settings_file, const KeyTimes& key_times,
                                      std::ostream& out);

}  // namespace kheops
