// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "config.hpp"
#include "log.hpp"
#include "token/key_source.hpp"

namespace kheops {

/// Returns the configured source of keys. `log`, to which skipped keys are logged, outlives it.
/// Throws ConfigError if the key file cannot be read or holds no usable key. A provider is not
/// asked yet.
[[nodiscard]] std::unique_ptr<KeySource> open_keys(const Config& config, const Log& log);

}  // namespace kheops
