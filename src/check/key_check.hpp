// SPDX-License-Identifier: MIT
#pragma once

#include "check/finding.hpp"
#include "config.hpp"

namespace kheops {

/// Reads the key file, or fetches the keys of the provider and compares its clock with this
/// machine's, and looks at the key cache, which it does not write. Does nothing if the settings
/// name neither a file nor a provider. Takes up to the timeout of a fetch.
void check_keys(const Config& config, const Report& report);

}  // namespace kheops
